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

/** Checks tokens against both stores. */
export function createCheck({ accounts, registry, tokens, passwords, recovery }: Needs) {
  const check = createBatch(checkAll)

  return { identify, inspect }

  /**
   * The token, if its session lives. This is the only way in which a token is accepted: identify,
   * verify, introspect and the preHandler all call it, so they cannot disagree.
   *
   * @throws Refusal that says why not; `token_invalid` and `token_expired` without asking a store.
   * @throws Unavailable when either store did not answer.
   */
  async function identify(token: string): Promise<VerifiedToken> {
    return check(inspect(token))
  }

  /** Verifies the token alone, without a store. @throws Refusal `token_invalid`, `token_expired` */
  function inspect(token: string): VerifiedToken {
    const verified = tokens.read(token)
    if (hasExpired(verified.session)) throw new Refusal('token_expired')
    return verified
  }

  /** Steps "identify reads D" and "identify reads R" for one batch. */
  async function checkAll(asked: readonly VerifiedToken[]): Promise<(VerifiedToken | Error)[]> {
    // Many callers wait for this check, few for the hashing of a login.
    passwords.giveWay()
    const userIds = asked.map(({ session }) => session.userId)
    const [inD, inR] = await Promise.all([accounts.readEntries(userIds), registry.read(userIds)])
    return asked.map((token, index) => judged(token, inD[token.session.userId], inR[index]))
  }

  /** The token if its session lives, otherwise the error that says why not. */
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
      // R holds another entry that is as new or newer, so D has lost it. What was ended stays
      // ended.
      return new Refusal(endedBy(remembered))
    }
    // R has lost the entry of this session.
    if (recovery === 'off') return new Refusal('session_ended')
    repair(session)
    return token
  }

  /**
   * Step "repair", after the answer: joins the entry that R has lost, as the token spells it. A
   * Redis that lost its data therefore causes no further reads in PostgreSQL. If the join fails,
   * the next request tries again.
   */
  function repair({ userId, loginTime: stamp, sessionId, expiresAt }: Session): void {
    registry.join(userId, { stamp, sessionId }, expiresAt * 1000).catch(() => undefined)
  }
}

/** Why a session does not live, by what D says of its user: an entry, a status, or nothing. */
function reasonIn(inD: string | undefined) {
  const entry = parseEntry(inD)
  return entry ? endedBy(entry) : 'user_disabled'
}

function endedBy({ sessionId }: RegistryEntry) {
  return sessionId === null ? 'session_ended' : 'session_superseded'
}
