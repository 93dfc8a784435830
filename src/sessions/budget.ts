import { Unavailable } from '../refusals/refusal.js'
import type { ClockReading } from '../stores/postgres/accounts.js'
import { STORE_LIMIT_MS } from '../stores/store-call.js'

/**
 * Bounds of a whole operation in milliseconds, inside what callers are promised: 500 ms, and 2 s where a password is hashed,
 * of which two calls to the store that counts failures may take half a second.
 */
export const ANSWER_BUDGET_MS = 460
export const HASHING_BUDGET_MS = 1500

/**
 * The same for a person at a terminal, who has been promised nothing and waits: for connections and threads that have only
 * just been started, and for a hash of the highest cost.
 */
export const OPERATOR_BUDGET_MS = 30_000

/** How long a write may wait to be committed, in milliseconds from when it is sent. */
export const COMMIT_LIMIT_MS = 300

/** Waited beyond a commit's deadline before a caller is told 503, so that nothing commits after that answer. */
const COMMIT_MARGIN_MS = 40

export type Budget = ReturnType<typeof startBudget>

/**
 * Divides what an operation may take among its calls. Monotonic: a clock that is set back does not
 * prolong it. `end` is the moment on that clock, performance.now(), at which all is over.
 */
export function startBudget(totalMs: number) {
  const end = performance.now() + totalMs
  const left = () => end - performance.now()
  return { end, limit, commit }

  /** Milliseconds for the next call to a store. */
  function limit(): number {
    return Math.min(STORE_LIMIT_MS, left())
  }

  /**
   * Runs one statement that commits, and that carries its deadline.
   *
   * @param clock tells the deadline on the database's clock.
   * @param write gets the deadline and for how long to wait for the statement, in milliseconds.
   * @throws Unavailable when too little is left to begin one.
   */
  function commit<Result>(
    clock: ClockReading,
    write: (deadline: number, limitMs: number) => Promise<Result>,
  ): Promise<Result> {
    const limitMs = Math.min(COMMIT_LIMIT_MS, left() - COMMIT_MARGIN_MS)
    if (limitMs <= COMMIT_MARGIN_MS) throw new Unavailable('out of time before the commit')
    return write(deadlineIn(limitMs, clock), limitMs + COMMIT_MARGIN_MS)
  }
}

/** The moment on the database's clock that lies `limitMs` from now, measured from a reading on the monotonic clock. */
function deadlineIn(limitMs: number, clock: ClockReading): number {
  return clock.database + (performance.now() - clock.monotonic) + limitMs
}
