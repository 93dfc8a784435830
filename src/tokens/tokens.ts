import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { LRUCache } from 'lru-cache'
import { Refusal } from '../refusals/refusal.js'
import type { Session } from '../sessions/session.js'
import type { AskedUser } from '../stores/postgres/accounts.js'
import { spell } from '../stores/session-registry.js'
import type { KeyRing, Seal } from './keys/key-ring.js'

/** The claims of a token. `iat` and `exp` in seconds; `login_time` is the session's stamp in milliseconds. */
export const Claims = Type.Object(
  {
    iss: Type.String({ description: 'Who issued the token.' }),
    sub: Type.String({ description: 'The user id as a string.', pattern: '^[1-9]\\d{0,15}$' }),
    jti: Type.String({ description: 'The session id.', pattern: '^[\\w-]{22,64}$' }),
    iat: Type.Integer({ description: 'Issued at, in seconds since the epoch.', minimum: 0 }),
    exp: Type.Integer({ description: 'Expires at, in seconds since the epoch.', minimum: 0 }),
    aud: Type.Optional(Type.String({ description: 'Whom the token is for, where configured.' })),
    data: Type.Object(
      {
        id: Type.Integer({ description: 'The user id.', minimum: 1 }),
        login_time: Type.Integer({ description: 'The stamp of the login, in milliseconds.', minimum: 0 }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)
export type Claims = Static<typeof Claims>

const areClaims = TypeCompiler.Compile(Claims)

/** Well beyond the longest token that this service writes, with RS256; whatever is longer is refused unread. */
const MAX_TOKEN_LENGTH = 2048

/** Tokens whose signature is not computed again when they are shown again: about a kilobyte each. */
const REMEMBERED_TOKENS = 10_000

/** A session with all that its token says. */
export interface ClaimedSession extends Session, AskedUser {
  claims: Claims
  /** What both stores say of the user while it lives. */
  spelled: string
}

/** What a token that was verified says, and by which key: both are needed to believe it again, and its whole text. */
interface Known {
  token: string
  session: ClaimedSession
  seal: Seal
}

interface Needs {
  keys: Pick<KeyRing, 'signing' | 'find' | 'holds'>
  issuer: string
  audience: string | undefined
}

export type Tokens = ReturnType<typeof createTokens>

/** Writes and reads tokens. Knows nothing of sessions: a genuine token can belong to a session long ended. */
export function createTokens({ keys, issuer, audience }: Needs) {
  // What it holds is what the text says, never whether the session lives, the token has expired or its key still counts.
  const remembered = new LRUCache<number, Known>({ max: REMEMBERED_TOKENS })

  return { sign, read }

  /** Writes the token of a session. `issuedAt` and `ttl` in seconds. */
  function sign(session: {
    userId: number
    sessionId: string
    stamp: number
    issuedAt: number
    ttl: number
  }): string {
    return keys.signing().sign({
      iss: issuer,
      sub: String(session.userId),
      jti: session.sessionId,
      iat: session.issuedAt,
      exp: session.issuedAt + session.ttl,
      ...(audience === undefined ? {} : { aud: audience }),
      data: { id: session.userId, login_time: session.stamp },
    })
  }

  /**
   * The session that a genuine token names, expired or not, ended or not. Touches no store.
   *
   * @throws Refusal `token_invalid` for anything else, whatever the library makes of it.
   */
  function read(token: string): ClaimedSession {
    if (token.length > MAX_TOKEN_LENGTH) throw new Refusal('token_invalid')
    const place = placeOf(token)
    const known = remembered.get(place)
    if (known?.token === token && keys.holds(known.seal)) return known.session
    const seal = keys.find(token.slice(0, token.indexOf('.')))
    if (!seal) throw new Refusal('token_invalid')
    const claims = verified(token, seal)
    if (!areClaims.Check(claims) || !areConsistent(claims) || !isCanonical(token, claims)) {
      throw new Refusal('token_invalid')
    }
    const session = sessionOf(claims)
    remembered.set(place, { token, session, seal })
    return session
  }

  function verified(token: string, seal: Seal): unknown {
    try {
      return seal.verify(token)
    } catch {
      // The library has many kinds of errors: here they are all the same.
      throw new Refusal('token_invalid')
    }
  }

  function areConsistent(claims: Claims): boolean {
    return claims.iss === issuer && claims.aud === audience && claims.sub === String(claims.data.id)
  }
}

function sessionOf(claims: Claims): ClaimedSession {
  const { jti: sessionId, exp: expiresAt } = claims
  const { id: userId, login_time: loginTime } = claims.data
  const spelled = spell({ stamp: loginTime, sessionId })
  return { userId, sessionId, loginTime, expiresAt, claims, spelled, ctid: undefined }
}

/**
 * Where a token is remembered: by 30 bits of its signature, as a small number. To look up its text would be to hash it each time,
 * which costs several times as much as to compare it with the one that is found. Two tokens in one place are verified in turn.
 */
function placeOf(token: string): number {
  const end = token.length - 1
  let place = 0
  // The last character holds fewer bits than the others.
  for (let index = end - 5; index < end; index++) place = (place << 6) ^ token.charCodeAt(index)
  return place & 0x3fffffff
}

/** Whether the payload is spelled as this service spells it: no repeated member, no broken UTF-8, no odd number. */
function isCanonical(token: string, claims: Claims): boolean {
  return Buffer.from(JSON.stringify(claims)).toString('base64url') === token.split('.')[1]
}

/** On or after `exp` a token has expired (RFC 7519 §4.1.4). `now` in milliseconds. */
export function hasExpired({ expiresAt }: Session, now = Date.now()): boolean {
  return now >= expiresAt * 1000
}
