import { createHash } from 'node:crypto'
import { ComparedTooLate, NotHashed, Refusal, Unavailable } from '../refusals/refusal.js'
import type { AttemptCounts, AttemptLimits, Taken } from '../stores/attempt-counts.js'

/**
 * A network may fail this many times as often as one place of an account, because a household or an
 * office shares it.
 */
const FAILURES_PER_NETWORK = 10

/**
 * Failures of one account in a row, over all networks, after which only known places may try (NIST
 * SP 800-63B-4 §3.2.2).
 */
const STRANGERS_IN_ROW = 100

/**
 * The first wait, in milliseconds, as NIST SP 800-63B-4 §3.2.2 suggests. Each further failure
 * doubles it.
 */
const FIRST_WAIT_MS = 30_000

/** Whose password is to be proved, and from where. */
export interface Claim {
  /** The canonical mobile number. */
  account: string
  /** As networkOf returns it. */
  network: string
  /** Whether this account has logged in from this network before. */
  isKnown: boolean
}

interface Needs {
  counts: AttemptCounts
  maxFailures: number
  windowSeconds: number
}

/** One counter from which an attempt is taken. */
interface Charge {
  key: string
  counter: string
  limits: AttemptLimits
  /**
   * What a success does: it forgets the failures of a place, and gives a network only its attempt
   * back.
   */
  whenProved: Settle
}

type Settle = (key: string, counter: string, limits: AttemptLimits) => Promise<void>

export type Throttle = ReturnType<typeof createThrottle>

/**
 * Slows down guessing without locking owners out. Each place of an account has failures of its own,
 * so strangers use up only theirs. After the free failures each one makes its place wait, twice as
 * long each time. Live sessions are not affected. docs/throttling.md says what is counted, and what
 * a stranger can do.
 *
 * @param maxFailures free failures of a place in a row.
 * @param windowSeconds the longest wait.
 */
export function createThrottle({ counts, maxFailures, windowSeconds }: Needs) {
  const longestWaitMs = windowSeconds * 1000
  const firstWaitMs = Math.min(FIRST_WAIT_MS, longestWaitMs)
  const waits = { firstWaitMs, longestWaitMs }
  // A known place counts towards the failures in a row, and is not stopped by them.
  const ofKnown: AttemptLimits = { free: maxFailures, ...waits, mostInRow: Number.POSITIVE_INFINITY }
  const ofStranger: AttemptLimits = { free: maxFailures, ...waits, mostInRow: STRANGERS_IN_ROW }
  const ofNetwork: AttemptLimits = { free: maxFailures * FAILURES_PER_NETWORK, ...waits }

  return { prove, countWrongClient, forget }

  /**
   * Runs one comparison if the limits allow it. It counts as a failure until it has proved the
   * password.
   *
   * @throws Refusal `too_many_attempts`, without running it.
   * @throws Unavailable without running it, when as many attempts are under way as may fail. Also
   *   whatever the comparison throws.
   */
  async function prove(claim: Claim, compare: () => Promise<boolean>): Promise<boolean> {
    const charges = chargesOf(claim)
    await takeAll(charges)
    let proved: boolean
    try {
      proved = await compare()
    } catch (error) {
      if (error instanceof NotHashed) await settle(charges, counts.giveBack)
      // After the answer: a right password must not count as a failure because hashing was late.
      else if (error instanceof ComparedTooLate) error.outcome.then((late) => conclude(charges, late), fail)
      else await fail()
      throw error
    }
    // After the answer, too: a user who proved the password need not wait for this.
    if (proved) conclude(charges, true)
    else await fail()
    return proved

    function fail(): Promise<void> {
      return conclude(charges, false)
    }
  }

  /**
   * Counts one presentation of wrong credentials of a service client. Right ones are never refused
   * for it: nobody can guess 256 random bits, and the wrong ones may come from others on the same
   * network.
   *
   * @throws Refusal `too_many_attempts`
   */
  async function countWrongClient(network: string): Promise<void> {
    const charges = [networkCharge(`client:${network}`)]
    await takeAll(charges)
    await settle(charges, counts.fail)
  }

  /**
   * Forgets the failures of an account, so that it can be tried at once from everywhere. `limitMs`
   * in milliseconds. @throws Unavailable
   */
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

  /** Takes one attempt from each counter, or from none. */
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

  /** A count that cannot be updated changes no answer. */
  async function settle(charges: readonly Charge[], how: Settle): Promise<void> {
    const settled = charges.map(({ key, counter, limits }) => how(key, counter, limits).catch(allowUncounted))
    await Promise.all(settled)
  }
}

/** The refusal that says most: a caller who has to wait is not told to try again in a second. */
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
 * A counter that is out of reach lets the attempt through. If Redis as a whole is away, no login
 * gets as far as its password. If one node of a cluster is away, users on the other nodes must not
 * be refused.
 */
function allowUncounted(error: unknown): Taken {
  if (!(error instanceof Unavailable)) throw error
  return { verdict: 'taken' }
}

/** A digest: the store of the counts need not know the mobile number. */
function accountKey(account: string): string {
  return `account:${digestOf(account)}`
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
