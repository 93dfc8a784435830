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
  /** Undefined if nobody has this mobile number. */
  account: Account | undefined
  /** Undefined if no password is right. */
  hash: string | undefined
  claimant: Claimant
  budget: Budget
  /** Gives back the room that was kept in the queue of the hashing. */
  giveRoomBack?: () => void
}

export type ProvePassword = ReturnType<typeof createPasswordProof>

/** Compares passwords with hashes, as far as the throttle allows. */
export function createPasswordProof({ places, registry, passwords, throttle }: Needs) {
  return provePassword

  /**
   * @returns whether the password belongs to the hash, and how familiar the account is with the
   *   network.
   * @throws Refusal `too_many_attempts`
   * @throws Unavailable
   */
  async function provePassword(
    password: string,
    { account, hash, claimant, budget, giveRoomBack }: Proof,
  ): Promise<{ proved: boolean; familiarity: Familiarity }> {
    // Before the hash, because either call can make it needless. Without an account the places of
    // user 0 are read, so that an unknown mobile number takes the same time.
    const [familiarity] = await Promise.all([
      places.familiarity((account ?? NOBODY).userId, claimant.network),
      proveWritable(account),
    ])
    const proved = await throttle.prove({ ...claimant, isKnown: familiarity !== 'new' }, () => {
      giveRoomBack?.()
      return passwords.matches(password, hash, claimant, budget.end)
    })
    return { proved, familiarity }
  }

  /**
   * Step "canary join": joins what D holds before anything changes, so that an outage of Redis is
   * found while the earlier session still lives.
   */
  async function proveWritable(account: Account | undefined): Promise<void> {
    // Without an account the same write goes to the entry of user 0 and takes the same time.
    await joinState(registry, account ?? NOBODY, Date.now())
  }
}

/** The same refusal for every wrong mobile number or password. @param reason for the log only. */
export function invalidCredentials(reason: string): Refusal {
  return new Refusal('invalid_credentials', { reason })
}
