import type { Session } from './verdict.js'

/** Beyond them the one that was used least recently goes. */
const MAX_REMEMBERED = 10_000

/**
 * Remembers the sessions of accepted tokens, each for so long and never beyond its expiry.
 *
 * @param forMs milliseconds from the question on: how long before its arrival the answer was given,
 *   nobody knows.
 */
export function rememberAccepted(forMs: number) {
  // In the order of their use: a Map keeps that of insertion.
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

  /** @param askedAt by `performance.now()` */
  function add(token: string, session: Session, askedAt: number): void {
    remembered.delete(token)
    remembered.set(token, { session, askedAt })
    const [oldest] = remembered.size > MAX_REMEMBERED ? remembered.keys() : []
    if (oldest !== undefined) remembered.delete(oldest)
  }
}
