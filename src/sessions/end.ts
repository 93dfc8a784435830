import type { Accounts } from '../stores/postgres/accounts.js'
import { joinHeld, type SessionRegistry } from '../stores/session-registry.js'
import type { Tokens } from '../tokens/tokens.js'
import { ANSWER_BUDGET_MS, startBudget } from './budget.js'
import { isHeld, readAfterMiss } from './held-session.js'
import type { Session } from './session.js'

interface Needs {
  accounts: Pick<Accounts, 'findSession' | 'endSession'>
  registry: SessionRegistry
  tokens: Pick<Tokens, 'read'>
}

/** Logging out, and revoking. */
export function createEnd({ accounts, registry, tokens }: Needs) {
  return end

  /**
   * Ends the token's session, and never another one. Ending it again changes nothing and succeeds; an
   * expired token may do it too.
   *
   * @throws Refusal `token_invalid`
   * @throws Unavailable when a store did not acknowledge: the caller must assume that the session
   *   lives.
   */
  async function end(token: string): Promise<Session> {
    const budget = startBudget(ANSWER_BUDGET_MS)
    const { session } = tokens.read(token)
    const { userId, sessionId, loginTime: stamp } = session

    const held = await accounts.findSession(userId)
    if (!held) return session
    // Step "end in D".
    const ended = isHeld(held, session)
      ? await budget.commit(held.clock, (deadline, limitMs) =>
          accounts.endSession({ userId, sessionId, stamp, deadline }, limitMs),
        )
      : held
    const left = ended ?? (await readAfterMiss(accounts, session, budget))
    await joinHeld(registry, left, held.clock.database, budget.limit())
    return session
  }
}
