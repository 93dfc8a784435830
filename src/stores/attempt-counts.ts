/** Limits on failed attempts, and the waits that follow them. Times in milliseconds. */
export interface AttemptLimits {
  /** Failures in a row before the first wait, and attempts that may be under way at once. */
  free: number
  /** The wait after the last free failure. Each further failure doubles it. */
  firstWaitMs: number
  /**
   * The longest wait. Once this time passes after a wait without an attempt, failures are
   * forgotten.
   */
  longestWaitMs: number
  /**
   * Failures in a row, over all counters of a key, after which every attempt is refused. Undefined:
   * no limit.
   */
  mostInRow?: number
}

/** Whether an attempt may start. `busy`: it depends on the outcome of attempts under way. */
export type Taken =
  | { verdict: 'taken' | 'busy' }
  | { verdict: 'wait' | 'closed' /** Until the next attempt may start. */; waitMs: number }

/**
 * An attempt without a reported outcome stops counting as under way after this long, in
 * milliseconds.
 */
export const LEASE_MS = 3000

/** How long a row of at least ROW_KEPT_FROM failures is remembered, in milliseconds. */
export const ROW_KEPT_MS = 30 * 86_400_000
export const ROW_KEPT_FROM = 10

/**
 * Counts failed attempts per key and, within a key, per counter. Take an attempt before making it:
 * that bounds the attempts under way. Afterwards report `fail` or `succeed`, or give back an
 * attempt that was not made.
 *
 * Every method throws Unavailable when the store does not answer in time.
 */
export interface AttemptCounts {
  take(key: string, counter: string, limits: AttemptLimits): Promise<Taken>
  fail(key: string, counter: string, limits: AttemptLimits): Promise<void>
  giveBack(key: string, counter: string, limits: AttemptLimits): Promise<void>
  /** Forgets the counter's failures, and the key's failures in a row. */
  succeed(key: string, counter: string): Promise<void>
  /** Forgets all counts of a key. */
  forget(key: string, limitMs?: number): Promise<void>
  /** Does for nobody what a login does: whether it would succeed now. */
  probe(): Promise<void>
}

/** The wait after this many failures, in milliseconds. */
export function waitAfter(failures: number, { free, firstWaitMs, longestWaitMs }: AttemptLimits): number {
  return failures < free ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - free))
}
