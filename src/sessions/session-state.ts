import { Unavailable } from '../refusals/refusal.js'
import type { Accounts, SessionState } from '../stores/postgres/accounts.js'
import type { Budget } from './budget.js'
import type { Session } from './session.js'

/** No user has this id: its registry entry is written where there is no account whose entry could be. */
export const NOBODY: SessionState = { userId: 0, stamp: null, sessionId: null, expiresAt: null }

/** Whether this is the session that counts now, as D says. */
export function isCurrent(state: SessionState, session: Session): boolean {
  return state.sessionId === session.sessionId && state.stamp === session.loginTime
}

/**
 * What D says after a statement that should have ended this session changed nothing.
 *
 * @throws Unavailable when the session is still there: it was the deadline that stopped the statement.
 */
export async function readAfterMiss(
  accounts: Pick<Accounts, 'findSession'>,
  session: Session,
  budget: Budget,
): Promise<SessionState> {
  const state = await accounts.findSession(session.userId, budget.limit())
  if (state && isCurrent(state, session)) throw new Unavailable('postgres: the deadline had passed')
  return state ?? { ...NOBODY, userId: session.userId }
}
