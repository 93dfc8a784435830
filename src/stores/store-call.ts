import { Unavailable } from '../refusals/refusal.js'

/** What a store needs from a logger. */
export interface StoreLog {
  info(message: string): void
  warn(message: string): void
}

/** The time limit of one call to a store, in milliseconds. Two of them fit into the 500 ms of an answer. */
export const STORE_LIMIT_MS = 250

/** For so long, in milliseconds, nothing is tried after a connection was refused: each call would try another, only to be told the same. */
const REFUSED_FOR_MS = 100

class OutOfTime extends Error {}

interface Needs {
  store: 'postgres' | 'redis'
  log: StoreLog
  /** Whether a failure means that the store is away. Any other failure is a bug and is passed on. */
  meansAway: (error: Error) => boolean
}

/**
 * Puts a time limit on every call to one store and turns its outages into {@link Unavailable}.
 *
 * The limit bounds the caller's waiting only. Neither a command already sent to Redis nor a statement already
 * sent to PostgreSQL is taken back by it, so every write must be harmless when it happens late: the registry's
 * `join` is by its nature, a statement carries its own deadline.
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

/** Whether our own code is at fault. Whatever else a driver throws without a code is an outage. */
export function isBug(error: Error): boolean {
  return error instanceof TypeError || error instanceof ReferenceError
}

/** Waits for a promise at most so many milliseconds. The loser of the race may settle later, unheard. */
function withinLimit<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new OutOfTime()), Math.max(0, limitMs))
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** A driver's error by its code or what the driver says. Of a reply of Redis only the first word: the others could be data. */
function nameOf({ code, name, message }: NodeJS.ErrnoException): string {
  if (code !== undefined) return code
  return name === 'ReplyError' ? (message.split(' ', 1)[0] ?? name) : message || name
}
