import type { SessionState } from './postgres/accounts.js'

/** The newest event that the registry knows of a user: a login, or an ending (a tombstone, without session). */
export interface RegistryEntry {
  stamp: number
  sessionId: string | null
}

/** An entry as the registry holds it, and as the authority shows what it holds: `<stamp>.<session id>`, a tombstone `<stamp>.`. */
export function formatEntry({ stamp, sessionId }: RegistryEntry): string {
  return `${stamp}.${sessionId ?? ''}`
}

/** The entry that is spelled so: undefined where this protocol did not write it. */
export function parseEntry(spelled: string | null | undefined): RegistryEntry | undefined {
  const match = /^(\d+)\.([\w-]*)$/.exec(spelled ?? '')
  return match ? { stamp: Number(match[1]), sessionId: match[2] || null } : undefined
}

/**
 * What a join came to: `held`: the registry now holds this entry; `newer`: it holds a later one, which stays;
 * `collision`: it holds another live session with the same stamp, and this one needs a higher stamp.
 */
export type Joined = 'held' | 'newer' | 'collision'

/**
 * The second witness of who is logged in, beside the authority in PostgreSQL. Per user it is a max-register:
 * the only write is `join`, the larger stamp wins, and at equal stamps a tombstone beats a session. join is
 * commutative, associative and idempotent, so writes may be late, repeated or reordered without harm.
 *
 * Every method throws Unavailable when the registry does not answer in time.
 */
export interface SessionRegistry {
  /**
   * What is held of these users, in their order: an entry as it is spelled, or what an older system left; null where there is
   * nothing, an error where only that user's could not be read.
   */
  read(userIds: readonly number[]): Promise<(string | null | Error)[]>
  /** Joins an entry; it may be forgotten at `expiresAt` (milliseconds since the epoch) plus {@link KEPT_AFTER_EXPIRY_MS}. */
  join(userId: number, entry: RegistryEntry, expiresAt: number, limitMs?: number): Promise<Joined>
  ping(): Promise<void>
}

/** An entry outlives its token by this, so that clocks which differ a little never revive a dead session. */
export const KEPT_AFTER_EXPIRY_MS = 5 * 60_000

/**
 * Step "join what D holds": the session that stands, or after an ending the tombstone.
 *
 * @param held what the authority holds of the user; an entry without expiry may be forgotten as if it expired `now`.
 */
export function joinState(
  registry: Pick<SessionRegistry, 'join'>,
  { userId, stamp, sessionId, expiresAt }: SessionState,
  now: number,
  limitMs?: number,
): Promise<Joined> {
  return registry.join(userId, { stamp: stamp ?? 0, sessionId }, expiresAt ?? now, limitMs)
}
