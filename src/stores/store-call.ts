import { Unavailable } from '../errors.js'

/** What a store needs from a logger. */
export interface StoreLog {
  info(message: string): void
  warn(message: string): void
}

/** The time limit of one call to a store, in milliseconds. Two of them fit into the 500 ms of an answer. */
export const STORE_LIMIT_MS = 250

/** Calls in a row that may run out of time before the connections behind them are taken for dead. */
const MISSES_UNTIL_HUNG = 3

/**
 * For so long, in milliseconds, nothing is tried after a connection was refused: the driver would keep the caller waiting
 * for its next attempt, only to tell the same.
 */
const REFUSED_FOR_MS = 100

class OutOfTime extends Error {}

interface Needs {
  store: 'postgres' | 'redis'
  log: StoreLog
  /** Whether a failure means that the store is away. Any other failure is a bug and is passed on. */
  meansAway: (error: Error) => boolean
  /** Called when several calls in a row ran out of time: time for new connections. */
  onHung?: () => void
}

/**
 * Puts a time limit on every call to one store and turns its outages into {@link Unavailable}.
 *
 * The limit bounds the caller's waiting only. Neither a command already sent to Redis nor a statement already
 * sent to PostgreSQL is taken back by it, so every write must be harmless when it happens late: the registry's
 * `join` is by its nature, a statement carries its own deadline.
 */
export function createStoreCall({ store, log, meansAway, onHung }: Needs) {
  let away = false
  let misses = 0
  let refusedUntil = 0

  return async function call<T>(work: () => Promise<T>, limitMs = STORE_LIMIT_MS): Promise<T> {
    if (performance.now() < refusedUntil) throw new Unavailable(`${store}: refused a connection just now`)
    try {
      const result = await withinLimit(work(), limitMs)
      misses = 0
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
      misses = outOfTime ? misses + 1 : 0
      if (misses >= MISSES_UNTIL_HUNG) {
        misses = 0
        onHung?.()
      }
      throw new Unavailable(`${store}: ${reason}`)
    }
  }
}

/** Waits for a promise at most so many milliseconds. The loser of the race may settle later, unheard. */
function withinLimit<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new OutOfTime()), Math.max(0, limitMs))
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** The code of a driver's error, or the first words of a Redis reply. Messages could hold data, so they stay here. */
function nameOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message.split(' ', 1)[0] ?? error.name
}
