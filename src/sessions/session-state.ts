import type { Accounts, SessionState } from '../stores/postgres/accounts.js'
import { type Budget, deadlinePassed } from './budget.js'
import type { Session } from './session.js'

/**
 * No user has id 0. Its entry is written where there is no account, so that both take the same
 * time.
 */
export const NOBODY: SessionState = { userId: 0, stamp: null, sessionId: null, expiresAt: null }

/** Whether D holds this session as the current one. */
export function isCurrent(state: SessionState, session: Session): boolean {
  return state.sessionId === session.sessionId && state.stamp === session.loginTime
}

/**
 * The session state in D, after a statement that should have ended this session matched no row.
 *
 * @throws Unavailable when the session is still there: the deadline stopped the statement. Also
 *   when D does not answer in time.
 */
export async function readAfterMiss(
  accounts: Pick<Accounts, 'findSession'>,
  session: Session,
  budget: Budget,
): Promise<SessionState> {
  const state = await accounts.findSession(session.userId, budget.limit())
  if (state && isCurrent(state, session)) throw deadlinePassed()
  return state ?? { ...NOBODY, userId: session.userId }
}
