import type { Session } from './verdict.js'

/** Beyond this number the least recently used is evicted. */
const MAX_REMEMBERED = 10_000

/**
 * An LRU cache of the sessions of accepted tokens. No entry outlives its token.
 *
 * @param forMs lifetime of an entry in milliseconds, counted from the request: the service may have
 *   decided at any time between request and answer.
 */
export function rememberAccepted(forMs: number) {
  // In order of use: `find` inserts again, and a Map keeps the order of insertion.
  const remembered = new Map<string, { session: Session; askedAt: number }>()

  return { find, add }

  function find(token: string): Session | undefined {
    const found = remembered.get(token)
    if (!found) return undefined
    remembered.delete(token)
    if (performance.now() - found.askedAt >= forMs) return undefined
    if (Date.now() >= found.session.expiresAt * 1000) return undefined
    remembered.set(token, found)
    return found.session
  }

  /** @param askedAt when the request was sent, by `performance.now()`. */
  function add(token: string, session: Session, askedAt: number): void {
    remembered.delete(token)
    remembered.set(token, { session, askedAt })
    const [oldest] = remembered.size > MAX_REMEMBERED ? remembered.keys() : []
    if (oldest !== undefined) remembered.delete(oldest)
  }
}
