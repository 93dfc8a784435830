import type { Passwords } from '../passwords/passwords.js'
import { Refusal } from '../refusals/refusal.js'
import type { Accounts } from '../stores/postgres/accounts.js'
import { parseEntry, type RegistryEntry, type SessionRegistry } from '../stores/session-registry.js'
import { hasExpired, type Tokens, type VerifiedToken } from '../tokens/tokens.js'
import { createBatch } from './batch.js'
import type { Session } from './session.js'

interface Needs {
  accounts: Pick<Accounts, 'readEntries'>
  registry: SessionRegistry
  tokens: Pick<Tokens, 'read'>
  passwords: Pick<Passwords, 'giveWay'>
  recovery: 'off' | 'database'
}

/** The check of a token against both stores. */
export function createCheck({ accounts, registry, tokens, passwords, recovery }: Needs) {
  const check = createBatch(checkAll)

  return { identify, inspect }

  /**
   * Who holds this token now: the only way in which a token is ever accepted. identify, verify,
   * introspect and the preHandler all ask here, so they can never disagree.
   *
   * @throws Refusal a 401 that says why; `token_invalid` and `token_expired` without asking a store.
   * @throws Unavailable when either store did not answer.
   */
  function identify(token: string): Promise<VerifiedToken> {
    // Not async: that would be one more promise for every check.
    try {
      return check(inspect(token))
    } catch (refusal) {
      return Promise.reject(refusal)
    }
  }

  /** What the token alone says, whoever may be logged in. Touches no store. @throws Refusal */
  function inspect(token: string): VerifiedToken {
    const verified = tokens.read(token)
    if (hasExpired(verified.session)) throw new Refusal('token_expired')
    return verified
  }

  /** Steps "identify reads D" and "identify reads R", for all that ask at the same time. */
  async function checkAll(tokens: readonly VerifiedToken[]): Promise<(VerifiedToken | Error)[]> {
    // Many wait for this, and few for a login.
    passwords.giveWay()
    const userIds = tokens.map(({ session }) => session.userId)
    const [inD, inR] = await Promise.all([accounts.readEntries(userIds), registry.read(userIds)])
    return tokens.map((token, index) => judged(token, inD[token.session.userId], inR[index]))
  }

  /** The token where its session lives, and otherwise why it does not. */
  function judged(
    token: VerifiedToken,
    inD: string | undefined,
    inR: string | null | undefined | Error,
  ): VerifiedToken | Error {
    const { session, entry } = token
    if (inR instanceof Error) return inR
    if (inD !== entry) return new Refusal(reasonIn(inD))
    if (inR === entry) return token
    const remembered = parseEntry(inR)
    if (remembered && remembered.stamp >= session.loginTime) {
      // R remembers something later than D does: D has lost it, and what was ended stays ended.
      return new Refusal(endedBy(remembered))
    }
    // R has lost this session.
    if (recovery === 'off') return new Refusal('session_ended')
    repair(session)
    return token
  }

  /**
   * Step "repair", behind the answer: brings back what R has lost of a session that D holds, as its
   * token says it. A Redis that came back empty so costs PostgreSQL nothing more. The next request
   * tries again if this one fails.
   */
  function repair({ userId, loginTime: stamp, sessionId, expiresAt }: Session): void {
    registry.join(userId, { stamp, sessionId }, expiresAt * 1000).catch(() => undefined)
  }
}

/** Why a session does not live of whose user D says this. */
function reasonIn(inD: string | undefined) {
  const entry = parseEntry(inD)
  return entry ? endedBy(entry) : 'user_disabled'
}

function endedBy({ sessionId }: RegistryEntry) {
  return sessionId === null ? 'session_ended' : 'session_superseded'
}
