import { requireUncommon } from '../passwords/password-rules.js'
import type { Passwords } from '../passwords/passwords.js'
import { Refusal } from '../refusals/refusal.js'
import type { Accounts } from '../stores/postgres/accounts.js'
import { joinState, type SessionRegistry } from '../stores/session-registry.js'
import { HASHING_BUDGET_MS, startBudget } from './budget.js'
import { invalidCredentials, type ProvePassword } from './password-proof.js'
import type { Session } from './session.js'
import { readAfterMiss } from './session-state.js'

/** The current password, the new one, and the network of the request as networkOf returns it. */
export interface PasswordChange {
  current: string
  wanted: string
  network: string
}

interface Needs {
  accounts: Pick<Accounts, 'findById' | 'findSession' | 'changePassword'>
  registry: SessionRegistry
  passwords: Pick<Passwords, 'hash'>
}

/** Lets the holder of a session change the password. */
export function createPasswordChange({ accounts, registry, passwords }: Needs, provePassword: ProvePassword) {
  return changePassword

  /**
   * Sets a new password and ends the session that asked for it.
   *
   * @throws Refusal `invalid_credentials` when the current password is wrong; `invalid_request`
   *   when the wanted one is too easy to guess; `session_ended` when the session ended meanwhile;
   *   `too_many_attempts`.
   * @throws Unavailable
   */
  async function changePassword(
    session: Session,
    { current, wanted, network }: PasswordChange,
  ): Promise<void> {
    const budget = startBudget(HASHING_BUDGET_MS)
    const { userId, sessionId, loginTime: stamp } = session
    const account = await accounts.findById(userId)
    const claimant = { account: account?.mobile ?? '', network }
    const hash = account?.passwordHash
    const { proved } = await provePassword(current, { account, hash, claimant, budget })
    if (!account || !proved) throw invalidCredentials('wrong password')
    // Only after the proof: this refusal must not reveal the mobile number to the thief of a token.
    await requireUncommon(wanted, 'new', account.mobile)

    const passwordHash = await passwords.hash(wanted, claimant, budget.end)
    const change = { userId, sessionId, stamp, verifiedHash: account.passwordHash, passwordHash }
    const ended = await budget.commit(account.clock, (deadline, limitMs) =>
      accounts.changePassword({ ...change, deadline }, limitMs),
    )
    if (!ended) {
      await readAfterMiss(accounts, session, budget)
      throw new Refusal('session_ended')
    }
    await joinState(registry, ended, account.clock.database, budget.limit())
  }
}
