/** How many attempts may fail, and how long it takes from then on. Times in milliseconds. */
export interface AttemptLimits {
  /** Failures in a row before the first wait, and attempts that may be under way at once. */
  free: number
  /** The wait after the last free failure. It doubles with each one more. */
  firstWaitMs: number
  /** The longest wait. Failures are forgotten when it has passed again without another attempt. */
  longestWaitMs: number
  /**
   * Failures in a row of all counters of a key together, after which no attempt is taken; without
   * it they are not counted.
   */
  mostInRow?: number
}

/** Whether an attempt may be made: `busy` where others are under way whose outcome decides. */
export type Taken =
  | { verdict: 'taken' | 'busy' }
  | { verdict: 'wait' | 'closed' /** Until another attempt makes sense. */; waitMs: number }

/**
 * An attempt whose outcome has not been told for so long, in milliseconds, is not under way any
 * more.
 */
export const LEASE_MS = 3000

/**
 * How long a row of failures is remembered, in milliseconds, once it is so long that it means
 * something.
 */
export const ROW_KEPT_MS = 30 * 86_400_000
export const ROW_KEPT_FROM = 10

/**
 * Counts failed attempts by key and, below it, by counter. An attempt is taken before it is made,
 * so that no more can be under way than may fail, and then either fails, succeeds, or is given back
 * when it was not made.
 *
 * Every method throws Unavailable when the store does not answer in time.
 */
export interface AttemptCounts {
  take(key: string, counter: string, limits: AttemptLimits): Promise<Taken>
  fail(key: string, counter: string, limits: AttemptLimits): Promise<void>
  giveBack(key: string, counter: string, limits: AttemptLimits): Promise<void>
  /** Forgets the counter's failures, and the key's row of them. */
  succeed(key: string, counter: string): Promise<void>
  /** Forgets all that is counted of a key. */
  forget(key: string, limitMs?: number): Promise<void>
}

/** The wait after so many failures. */
export function waitAfter(failures: number, { free, firstWaitMs, longestWaitMs }: AttemptLimits): number {
  return failures < free ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - free))
}
