import type { Claimant } from '../passwords/fair-queue.js'
import type { Passwords } from '../passwords/passwords.js'
import type { Throttle } from '../passwords/throttle.js'
import { Refusal } from '../refusals/refusal.js'
import type { Account } from '../stores/postgres/accounts.js'
import type { Familiarity, LoginPlaces } from '../stores/postgres/login-places.js'
import { joinState, type SessionRegistry } from '../stores/session-registry.js'
import type { Budget } from './budget.js'
import { NOBODY } from './session-state.js'

interface Needs {
  places: Pick<LoginPlaces, 'familiarity'>
  registry: SessionRegistry
  passwords: Pick<Passwords, 'matches'>
  throttle: Pick<Throttle, 'prove'>
}

interface Proof {
  /** Undefined where nobody has this mobile number. */
  account: Account | undefined
  /** Undefined where no password is right. */
  hash: string | undefined
  claimant: Claimant
  budget: Budget
}

/** Asks whether a password belongs to a hash, as far as the throttle lets it be tried from here. */
export function createPasswordProof({ places, registry, passwords, throttle }: Needs) {
  return provePassword

  /**
   * @returns whether it belongs there, and how well the account knows the network.
   * @throws Refusal `too_many_attempts`
   * @throws Unavailable
   */
  async function provePassword(
    password: string,
    { account, hash, claimant, budget }: Proof,
  ): Promise<{ proved: boolean; familiarity: Familiarity }> {
    // Before the hash, because both can make it needless. Nobody's places are read, too, so that an
    // unknown mobile number takes the same time.
    const [familiarity] = await Promise.all([
      places.familiarity((account ?? NOBODY).userId, claimant.network),
      proveWritable(account),
    ])
    const proved = await throttle.prove({ ...claimant, isKnown: familiarity !== 'new' }, () =>
      passwords.matches(password, hash, claimant, budget.end),
    )
    return { proved, familiarity }
  }

  /**
   * Step "canary join": joins what D holds before anything changes. If Redis is away, that is found
   * out while the earlier session still lives.
   */
  async function proveWritable(account: Account | undefined): Promise<void> {
    // Without an account the same write goes to nobody's entry: it takes the same time.
    await joinState(registry, account ?? NOBODY, Date.now())
  }
}

/** @param reason for the log only. */
export function invalidCredentials(reason: string): Refusal {
  return new Refusal('invalid_credentials', { reason })
}
