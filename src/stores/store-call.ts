import { Unavailable } from '../refusals/refusal.js'

/** What a store needs from a logger. */
export interface StoreLog {
  info(message: string): void
  warn(message: string): void
}

/** Time limit of one store call, in milliseconds. Two calls fit into the 500 ms of an answer. */
export const STORE_LIMIT_MS = 250

/**
 * After a refused connection, calls fail at once for this long, in milliseconds: each would open
 * another connection, only to be refused again.
 */
const REFUSED_FOR_MS = 100

class OutOfTime extends Error {}

interface Needs {
  store: 'postgres' | 'redis'
  log: StoreLog
  /** Whether an error means that the store is away. Any other error is a bug and is rethrown. */
  meansAway: (error: Error) => boolean
}

/**
 * Puts a time limit on every call to one store, and turns its outages into {@link Unavailable}.
 *
 * The limit bounds only the wait. It cancels neither a command already sent to Redis nor a
 * statement already sent to PostgreSQL, so every write must be harmless when it executes late. R's
 * `join` always is; a statement carries its own deadline.
 */
export function createStoreCall({ store, log, meansAway }: Needs) {
  let away = false
  let refusedUntil = 0

  return async function call<T>(work: () => Promise<T>, limitMs = STORE_LIMIT_MS): Promise<T> {
    if (performance.now() < refusedUntil) throw new Unavailable(`${store}: refused a connection just now`)
    try {
      const result = await withinLimit(work(), limitMs)
      if (away) {
        away = false
        log.info(`${store} is back`)
      }
      return result
    } catch (error) {
      const outOfTime = error instanceof OutOfTime
      if (!outOfTime && !meansAway(error as Error)) throw error
      const reason = outOfTime ? `no answer within ${limitMs} ms` : nameOf(error as NodeJS.ErrnoException)
      if (!away) {
        away = true
        log.warn(`${store} is away: ${reason}`)
      }
      if (reason === 'ECONNREFUSED') refusedUntil = performance.now() + REFUSED_FOR_MS
      throw new Unavailable(`${store}: ${reason}`)
    }
  }
}

/**
 * Whether our own code is at fault. Anything else that a driver throws without a code is an outage.
 */
export function isBug(error: Error): boolean {
  return error instanceof TypeError || error instanceof ReferenceError
}

/** Waits at most `limitMs` for a promise. If the promise settles later, its result is ignored. */
function withinLimit<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    // Where the event loop is late, the answer may have arrived: the poll phase, which reads the
    // sockets, comes after the timers and before the immediates.
    const timer = setTimeout(() => setImmediate(reject, new OutOfTime()), Math.max(0, limitMs))
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/**
 * Names a driver's error by its code, otherwise by its message. Of a Redis reply only the first
 * word: the rest could be data.
 */
function nameOf({ code, name, message }: NodeJS.ErrnoException): string {
  if (code !== undefined) return code
  return name === 'ReplyError' ? (message.split(' ', 1)[0] ?? name) : message || name
}
