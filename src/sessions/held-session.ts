import { Unavailable } from '../refusals/refusal.js'
import type { Accounts, HeldSession } from '../stores/postgres/accounts.js'
import type { Budget } from './budget.js'
import type { Session } from './session.js'

/** No user has this id: its registry entry is written where there is no account whose entry could be. */
export const NOBODY: HeldSession = { userId: 0, stamp: null, sessionId: null, expiresAt: null }

/** Whether D holds exactly this session. */
export function isHeld(held: HeldSession, session: Session): boolean {
  return held.sessionId === session.sessionId && held.stamp === session.loginTime
}

/**
 * What D holds after a statement that should have ended this session changed nothing.
 *
 * @throws Unavailable when the session is still there: it was the deadline that stopped the statement.
 */
export async function readAfterMiss(
  accounts: Pick<Accounts, 'findSession'>,
  session: Session,
  budget: Budget,
): Promise<HeldSession> {
  const held = await accounts.findSession(session.userId, budget.limit())
  if (held && isHeld(held, session)) throw new Unavailable('postgres: the deadline had passed')
  return held ?? { ...NOBODY, userId: session.userId }
}
