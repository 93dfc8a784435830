import type { Accounts } from '../stores/postgres/accounts.js'
import { joinState, type SessionRegistry } from '../stores/session-registry.js'
import type { Tokens } from '../tokens/tokens.js'
import { ANSWER_BUDGET_MS, startBudget } from './budget.js'
import type { Session } from './session.js'
import { isCurrent, readAfterMiss } from './session-state.js'

interface Needs {
  accounts: Pick<Accounts, 'findSession' | 'endSession'>
  registry: SessionRegistry
  tokens: Pick<Tokens, 'read'>
}

/** Ends sessions: logout and revocation. */
export function createEnd({ accounts, registry, tokens }: Needs) {
  return end

  /**
   * Ends the session of the token and no other one. Ending it again changes nothing and succeeds.
   * The token may have expired.
   *
   * @throws Refusal `token_invalid`
   * @throws Unavailable when a store did not acknowledge: the caller must assume that the session
   *   lives.
   */
  async function end(token: string): Promise<Session> {
    const budget = startBudget(ANSWER_BUDGET_MS)
    const { session } = tokens.read(token)
    const { userId, sessionId, loginTime: stamp } = session

    const state = await accounts.findSession(userId)
    if (!state) return session
    // Step "end in D".
    const ended = isCurrent(state, session)
      ? await budget.commit(state.clock, (deadline, limitMs) =>
          accounts.endSession({ userId, sessionId, stamp, deadline }, limitMs),
        )
      : state
    const left = ended ?? (await readAfterMiss(accounts, session, budget))
    await joinState(registry, left, state.clock.database, budget.limit())
    return session
  }
}
