import type { JWT } from '@fastify/jwt'
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { LRUCache } from 'lru-cache'
import { Refusal } from '../refusals/refusal.js'
import type { Session } from '../sessions/session.js'
import { formatEntry } from '../stores/session-registry.js'
import type { KeyRing, RingKey } from './keys/key-ring.js'

/** The session id in the examples of the OpenAPI document. */
export const SAMPLE_SESSION_ID = 'u2zxmNT0soc7CDTmQAj1jxp2aKG4uAPb'

/**
 * The claims of a token. `iat` and `exp` in seconds; `login_time` is the stamp of the session in
 * milliseconds.
 */
export const Claims = Type.Object(
  {
    iss: Type.String({ description: 'Who issued the token.', examples: ['auth-service'] }),
    sub: Type.String({
      description: 'The user id as a string.',
      pattern: '^[1-9]\\d{0,15}$',
      examples: ['1'],
    }),
    jti: Type.String({
      description: 'The session id.',
      pattern: '^[\\w-]{22,64}$',
      examples: [SAMPLE_SESSION_ID],
    }),
    iat: Type.Integer({
      description: 'Issued at, in seconds since the epoch.',
      minimum: 0,
      examples: [1795363200],
    }),
    exp: Type.Integer({
      description: 'Expires at, in seconds since the epoch.',
      minimum: 0,
      examples: [1795449600],
    }),
    aud: Type.Optional(
      Type.String({ description: 'Whom the token is for, where configured.', examples: ['video-platform'] }),
    ),
    data: Type.Object(
      {
        id: Type.Integer({ description: 'The user id.', minimum: 1, examples: [1] }),
        login_time: Type.Integer({
          description: 'The stamp of the login, in milliseconds.',
          minimum: 0,
          examples: [1795363200000],
        }),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false, title: 'Claims', description: 'The claims of a token.' },
)
export type Claims = Static<typeof Claims>

const areClaims = TypeCompiler.Compile(Claims)

/**
 * Well above the longest token that this service signs, with RS256. A longer one is refused unread.
 */
const MAX_TOKEN_LENGTH = 2048

/** Number of verified tokens that are remembered, at about a kilobyte each. */
const REMEMBERED_TOKENS = 10_000

/** Length of the end by which a token is looked up: hashing all of it costs more. */
const COMPARED_FIRST = 12

/** The content of a genuine token. */
export interface VerifiedToken {
  /** The session that it names, which may have ended. */
  session: Session
  claims: Claims
  /** The entry that both stores hold while the session lives. */
  entry: string
}

/**
 * A verified token. It is used again for the same text only, while the key that verified it is in
 * the ring.
 */
interface Remembered {
  text: string
  verified: VerifiedToken
  key: RingKey
}

interface Needs {
  /** From an app with {@link registerJwt}. It has no key of its own. */
  jwt: Pick<JWT, 'sign' | 'verify'>
  keys: Pick<KeyRing, 'signing' | 'find' | 'holds'>
  issuer: string
  audience: string | undefined
}

export type Tokens = ReturnType<typeof createTokens>

/**
 * Signs and verifies tokens. Knows nothing of sessions: that of a genuine token may have ended long
 * ago.
 */
export function createTokens({ jwt, keys, issuer, audience }: Needs) {
  // By the end of the text, it holds what the text says. Whether the session lives, the token has
  // expired or its key is in the ring is checked each time.
  const remembered = new LRUCache<string, Remembered>({ max: REMEMBERED_TOKENS })

  /** What a token must have besides its signature. */
  const terms = {
    allowedIss: issuer,
    ...(audience === undefined ? {} : { allowedAud: audience }),
    requiredClaims: ['iss', 'sub', 'jti', 'iat', 'exp', 'data'],
    // Checked separately: an expired token has an error code of its own, and may still log out.
    ignoreExpiration: true,
    // Verified tokens are remembered here, where it is known whether their key is still in the
    // ring.
    cache: false,
  }

  return { sign, read }

  /** Signs the token of a session. `issuedAt` and `ttl` in seconds, `stamp` in milliseconds. */
  function sign(session: {
    userId: number
    sessionId: string
    stamp: number
    issuedAt: number
    ttl: number
  }): string {
    const { key, header } = keys.signing()
    const claims = {
      iss: issuer,
      sub: String(session.userId),
      jti: session.sessionId,
      iat: session.issuedAt,
      exp: session.issuedAt + session.ttl,
      ...(audience === undefined ? {} : { aud: audience }),
      data: { id: session.userId, login_time: session.stamp },
    }
    return jwt.sign(claims, { key: key.signsWith, algorithm: key.algorithm, header })
  }

  /**
   * Verifies a token without a store. The token may have expired and its session may have ended.
   *
   * @throws Refusal `token_invalid` for everything that is not genuine, whatever the library calls
   *   it.
   */
  function read(token: string): VerifiedToken {
    if (token.length > MAX_TOKEN_LENGTH) throw new Refusal('token_invalid')
    const end = token.slice(-COMPARED_FIRST)
    const known = remembered.get(end)
    if (known?.text === token && keys.holds(known.key)) return known.verified
    const key = keys.find(token.slice(0, token.indexOf('.')))
    if (!key) throw new Refusal('token_invalid')
    const claims = payloadOf(token, key)
    if (!areClaims.Check(claims) || !areConsistent(claims) || !isCanonical(token, claims)) {
      throw new Refusal('token_invalid')
    }
    const verified = readClaims(claims)
    remembered.set(end, { text: token, verified, key })
    return verified
  }

  function payloadOf(token: string, { key }: RingKey): unknown {
    try {
      return jwt.verify(token, { key: key.checksWith, algorithms: [key.algorithm], ...terms })
    } catch {
      // The library has many kinds of errors. Here they mean the same.
      throw new Refusal('token_invalid')
    }
  }

  function areConsistent(claims: Claims): boolean {
    return claims.iss === issuer && claims.aud === audience && claims.sub === String(claims.data.id)
  }
}

function readClaims(claims: Claims): VerifiedToken {
  const { jti: sessionId, exp: expiresAt } = claims
  const { id: userId, login_time: loginTime } = claims.data
  return {
    session: { userId, sessionId, loginTime, expiresAt },
    claims,
    entry: formatEntry({ stamp: loginTime, sessionId }),
  }
}

/**
 * Whether the payload is spelled as this service spells it: no duplicate member, no malformed
 * UTF-8, no other notation of a number.
 */
function isCanonical(token: string, claims: Claims): boolean {
  return Buffer.from(JSON.stringify(claims)).toString('base64url') === token.split('.')[1]
}

/**
 * Whether a token has expired, which it has at `exp` and after it (RFC 7519 §4.1.4). `now` in
 * milliseconds since the epoch.
 */
export function hasExpired({ expiresAt }: Session, now = Date.now()): boolean {
  return now >= expiresAt * 1000
}
