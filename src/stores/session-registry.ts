import type { SessionState } from './postgres/accounts.js'

/**
 * The newest event of a user that R knows: a login, or an ending (a tombstone, without a session).
 */
export interface RegistryEntry {
  stamp: number
  sessionId: string | null
}

/** The entry as R stores it and as D returns it: `<stamp>.<session id>`, a tombstone `<stamp>.`. */
export function formatEntry({ stamp, sessionId }: RegistryEntry): string {
  return `${stamp}.${sessionId ?? ''}`
}

/** Parses an entry. Undefined if this protocol did not write the value. */
export function parseEntry(spelled: string | null | undefined): RegistryEntry | undefined {
  const match = /^(\d+)\.([\w-]*)$/.exec(spelled ?? '')
  return match ? { stamp: Number(match[1]), sessionId: match[2] || null } : undefined
}

/**
 * The result of a join. `held`: R now holds this entry. `newer`: R keeps a later one, or a
 * tombstone of the same stamp. `collision`: R holds another live session with the same stamp, so
 * this one needs a higher stamp.
 */
export type Joined = 'held' | 'newer' | 'collision'

/**
 * R, the registry: the second witness of who is logged in, beside D, the authority in PostgreSQL.
 * Per user, R is a max-register: `join` is the only write, the larger stamp wins, and at equal
 * stamps a tombstone beats a session. join is commutative, associative and idempotent, so late,
 * repeated or reordered writes do no harm.
 *
 * Every method throws Unavailable when R does not answer in time.
 */
export interface SessionRegistry {
  /**
   * Reads the users' entries, in their order. A result is the stored text (an entry, or a value of
   * an older system), null where R holds nothing, or an error where only that user's entry could
   * not be read.
   */
  read(userIds: readonly number[]): Promise<(string | null | Error)[]>
  /**
   * Joins an entry. R may forget it at `expiresAt` (milliseconds since the epoch) plus
   * {@link KEPT_AFTER_EXPIRY_MS}.
   */
  join(userId: number, entry: RegistryEntry, expiresAt: number, limitMs?: number): Promise<Joined>
  /** Does for nobody what the service does for users: whether it would succeed now. */
  probe(): Promise<void>
}

/**
 * How long an entry outlives its token, in milliseconds: clock skew must not revive a dead session.
 */
export const KEPT_AFTER_EXPIRY_MS = 5 * 60_000

/**
 * Step "join what D holds": joins the live session or, after an ending, the tombstone.
 *
 * @param now the expiry of a session state that has none, in milliseconds since the epoch
 */
export function joinState(
  registry: Pick<SessionRegistry, 'join'>,
  { userId, stamp, sessionId, expiresAt }: SessionState,
  now: number,
  limitMs?: number,
): Promise<Joined> {
  return registry.join(userId, { stamp: stamp ?? 0, sessionId }, expiresAt ?? now, limitMs)
}
