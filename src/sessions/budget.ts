import { Unavailable } from '../refusals/refusal.js'
import type { ClockReading } from '../stores/postgres/accounts.js'
import { STORE_LIMIT_MS } from '../stores/store-call.js'

/**
 * Limits of a whole operation in milliseconds. They lie below what callers are promised: 500 ms, or
 * 2 s where a password is hashed. Of the 2 s, two calls to the store of attempt counts may take
 * half a second.
 */
export const ANSWER_BUDGET_MS = 460
export const HASHING_BUDGET_MS = 1500

/**
 * The limit of a command in milliseconds. Its connections and threads have only just started, and a
 * hash may have the highest cost. Nobody is promised an earlier answer.
 */
export const OPERATOR_BUDGET_MS = 30_000

/** How long a write may take to commit, in milliseconds from when it is sent. */
export const COMMIT_LIMIT_MS = 300

/**
 * Wait beyond the deadline of a commit before the caller gets a 503, so that nothing commits after
 * that answer.
 */
const COMMIT_MARGIN_MS = 40

export type Budget = ReturnType<typeof startBudget>

/**
 * Divides the time of an operation among its calls. It uses the monotonic clock, so setting the
 * clock back does not prolong it. `end` is the moment of performance.now() at which the time is
 * over.
 *
 * @param totalMs the time of the whole operation, in milliseconds.
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
   * Runs one statement that commits and carries its deadline.
   *
   * @param clock a reading that converts the deadline to the database's clock.
   * @param write gets the deadline, and how long to wait for the statement in milliseconds.
   * @throws Unavailable when too little time is left to begin.
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

/** The answer where a statement matched no row because it came after its deadline. */
export function deadlinePassed(): Unavailable {
  return new Unavailable('postgres: the deadline had passed')
}

/** The moment `limitMs` from now on the database's clock. */
function deadlineIn(limitMs: number, clock: ClockReading): number {
  return clock.database + (performance.now() - clock.monotonic) + limitMs
}
