import { hasOwnSessions, type PostgresAddress } from './address.js'
import type { ConnectionSettings } from './connection.js'

/**
 * Longest wait for the lock of a user's row, in milliseconds: less than any request waits for the
 * statement.
 */
export const LOCK_TIMEOUT_MS = 200

/** Longest run of a statement, in milliseconds, enforced by PostgreSQL. */
const STATEMENT_TIMEOUT_MS = 300

/**
 * A connection that takes longer than this to open, or to answer a statement, is dead, in
 * milliseconds: PostgreSQL itself ends a statement sooner. An attempt whose packets were lost just
 * before the server came back still ends within the second that recovery may take.
 */
export const DEAD_AFTER_MS = 600

/** Session parameters, for addresses where a session lasts as long as its connection. */
const SESSION_LIMITS = {
  statement_timeout: String(STATEMENT_TIMEOUT_MS),
  lock_timeout: String(LOCK_TIMEOUT_MS),
  idle_in_transaction_session_timeout: '2000',
}

/** The settings of every connection that serves requests, with the limits of its session. */
export function limitedSettings(address: PostgresAddress): ConnectionSettings {
  return {
    address,
    session: { application_name: 'auth-service', ...(hasOwnSessions(address) && SESSION_LIMITS) },
    connectMs: DEAD_AFTER_MS,
  }
}
