import {
  formatEntry,
  type Joined,
  KEPT_AFTER_EXPIRY_MS,
  type RegistryEntry,
  type SessionRegistry,
} from '../session-registry.js'

/** Joins between two sweeps for expired entries. */
const SWEEP_EVERY = 10_000

/** R in embedded mode: the same max-register as in Redis, in the memory of the only process. */
export function createMemorySessionRegistry(): SessionRegistry {
  const entries = new Map<number, RegistryEntry & { until: number }>()
  let joins = 0

  return { read, join, probe: async () => undefined }

  async function read(userIds: readonly number[]): Promise<(string | null)[]> {
    return userIds.map((userId) => {
      const held = alive(userId)
      return held ? formatEntry(held) : null
    })
  }

  async function join(userId: number, entry: RegistryEntry, expiresAt: number): Promise<Joined> {
    const held = alive(userId)
    if (held) {
      if (held.stamp > entry.stamp) return 'newer'
      if (held.stamp === entry.stamp && held.sessionId !== entry.sessionId) {
        if (held.sessionId === null) return 'newer'
        if (entry.sessionId !== null) return 'collision'
      }
    }
    entries.set(userId, { ...entry, until: Math.max(expiresAt + KEPT_AFTER_EXPIRY_MS, held?.until ?? 0) })
    if (++joins % SWEEP_EVERY === 0) sweep()
    return 'held'
  }

  function alive(userId: number) {
    const held = entries.get(userId)
    return held && held.until > Date.now() ? held : undefined
  }

  function sweep(): void {
    const now = Date.now()
    for (const [userId, { until }] of entries) if (until <= now) entries.delete(userId)
  }
}
