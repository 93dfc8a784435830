import { createHash } from 'node:crypto'
import { ComparedTooLate, NotHashed, Refusal, Unavailable } from '../refusals/refusal.js'
import type { AttemptCounts, AttemptLimits, Taken } from '../stores/attempt-counts.js'

/**
 * A network may fail this many times as often as a place of an account: a household or an office
 * shares one.
 */
const FAILURES_PER_NETWORK = 10

/**
 * Failures in a row by strangers, after which only known places may try (NIST SP 800-63B-4 §3.2.2).
 */
const STRANGERS_IN_ROW = 100

/**
 * The first wait, in milliseconds, as NIST SP 800-63B-4 §3.2.2 suggests; each one more is twice as
 * long.
 */
const FIRST_WAIT_MS = 30_000

/** Whose password somebody tries to prove, and from where. */
export interface Claim {
  /** The mobile number in its canonical spelling. */
  account: string
  /** As networkOf gives it. */
  network: string
  /** Whether this account has logged in from this network before. */
  isKnown: boolean
}

interface Needs {
  counts: AttemptCounts
  maxFailures: number
  windowSeconds: number
}

/** One counter that an attempt is taken from. */
interface Charge {
  key: string
  counter: string
  limits: AttemptLimits
  /** What a success means for it: a place's failures are forgotten, a network's stay. */
  whenProved: Settle
}

type Settle = (key: string, counter: string, limits: AttemptLimits) => Promise<void>

export type Throttle = ReturnType<typeof createThrottle>

/**
 * Slows down guessing, and keeps nobody out who comes from where the account has logged in before:
 * every place of an account has failures of its own, and strangers use up only theirs. After them
 * each failure makes its place wait, longer and longer. Live sessions go on: nobody is logged out
 * by it. docs/throttling.md says what is counted, and what a stranger can do.
 */
export function createThrottle({ counts, maxFailures, windowSeconds }: Needs) {
  const longestWaitMs = windowSeconds * 1000
  const firstWaitMs = Math.min(FIRST_WAIT_MS, longestWaitMs)
  const waits = { firstWaitMs, longestWaitMs }
  // A known place adds to the row of failures, and is not stopped by it.
  const ofKnown: AttemptLimits = { free: maxFailures, ...waits, mostInRow: Number.POSITIVE_INFINITY }
  const ofStranger: AttemptLimits = { free: maxFailures, ...waits, mostInRow: STRANGERS_IN_ROW }
  const ofNetwork: AttemptLimits = { free: maxFailures * FAILURES_PER_NETWORK, ...waits }

  return { prove, countWrongClient, forget }

  /**
   * Runs one comparison, if it may be made, and counts it as a failure until it has proved the
   * password.
   *
   * @throws Refusal `too_many_attempts` without running it.
   * @throws Unavailable without running it, while as many are under way as may fail; whatever the
   *   comparison throws.
   */
  async function prove(claim: Claim, compare: () => Promise<boolean>): Promise<boolean> {
    const charges = chargesOf(claim)
    await takeAll(charges)
    let proved: boolean
    try {
      proved = await compare()
    } catch (error) {
      if (error instanceof NotHashed) await settle(charges, counts.giveBack)
      // Behind the answer: where there is no time for hashing, whoever is right must not be counted
      // as a guesser.
      else if (error instanceof ComparedTooLate) error.outcome.then((late) => conclude(charges, late), fail)
      else await fail()
      throw error
    }
    // Behind the answer, too: whoever proved the password need not wait for the count to be
    // forgotten.
    if (proved) conclude(charges, true)
    else await fail()
    return proved

    function fail(): Promise<void> {
      return conclude(charges, false)
    }
  }

  /**
   * Counts one wrong presentation of a service client's credentials. Right ones are never refused
   * for it: a secret of 256 random bits cannot be guessed, and the wrong ones may come from whoever
   * shares the network.
   *
   * @throws Refusal `too_many_attempts`
   */
  async function countWrongClient(network: string): Promise<void> {
    const charges = [networkCharge(`client:${network}`)]
    await takeAll(charges)
    await settle(charges, counts.fail)
  }

  /** Lets an account be tried again at once, from everywhere. @throws Unavailable */
  function forget(account: string, limitMs?: number): Promise<void> {
    return counts.forget(accountKey(account), limitMs)
  }

  function chargesOf({ account, network, isKnown }: Claim): Charge[] {
    const place = { key: accountKey(account), counter: digestOf(network), whenProved: counts.succeed }
    if (isKnown) return [{ ...place, limits: ofKnown }]
    return [{ ...place, limits: ofStranger }, networkCharge(`network:${network}`)]
  }

  function networkCharge(key: string): Charge {
    return { key, counter: 'all', limits: ofNetwork, whenProved: counts.giveBack }
  }

  /** Takes one attempt from each, or from none. */
  async function takeAll(charges: readonly Charge[]): Promise<void> {
    const answers = await Promise.all(
      charges.map(({ key, counter, limits }) => counts.take(key, counter, limits).catch(allowUncounted)),
    )
    const refused = answers.filter((answer) => answer.verdict !== 'taken')
    if (refused.length === 0) return
    const taken = charges.filter((_, index) => answers[index]?.verdict === 'taken')
    await settle(taken, counts.giveBack)
    throw refusalOf(refused)
  }

  async function conclude(charges: readonly Charge[], proved: boolean): Promise<void> {
    if (!proved) return settle(charges, counts.fail)
    await Promise.all(charges.map((charge) => settle([charge], charge.whenProved)))
  }

  /** A count that cannot be brought up to date changes no answer. */
  async function settle(charges: readonly Charge[], how: Settle): Promise<void> {
    const settled = charges.map(({ key, counter, limits }) => how(key, counter, limits).catch(allowUncounted))
    await Promise.all(settled)
  }
}

/** The most telling of the reasons: who has to wait is not told to try again in a second. */
function refusalOf(refused: readonly Taken[]): Refusal {
  const waits = refused.flatMap((taken) => ('waitMs' in taken ? [taken.waitMs] : []))
  if (waits.length === 0) return new Unavailable('as many attempts are under way as may fail')
  const isClosed = refused.some(({ verdict }) => verdict === 'closed')
  return new Refusal('too_many_attempts', {
    retryAfter: Math.max(1, Math.ceil(Math.max(...waits) / 1000)),
    reason: isClosed ? 'only known places may try' : 'too many failures',
  })
}

/**
 * A count that is out of reach lets the attempt through. Where Redis is away as a whole no login gets as far as its
 * password; where a node of a cluster is, the users on the other nodes must not be the ones who are refused.
 */
function allowUncounted(error: unknown): Taken {
  if (!(error instanceof Unavailable)) throw error
  return { verdict: 'taken' }
}

/** The counts need not know whose mobile number it is. */
function accountKey(account: string): string {
  return `account:${digestOf(account)}`
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
