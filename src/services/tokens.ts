import { createHmac } from 'node:crypto'
import type { FastifyJWTOptions, JWT } from '@fastify/jwt'
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { LRUCache } from 'lru-cache'
import { Refusal } from '../errors.js'

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

/** Its own type, so that no other token signed with the same key passes for a session (RFC 8725 §3.11). */
const TOKEN_TYPE = 'session+jwt'

/** Three times the longest token that this service writes; whatever is longer is refused unread. */
const MAX_TOKEN_LENGTH = 2048

/** Tokens whose signature is not computed again when they are shown again: about a kilobyte each. */
const REMEMBERED_TOKENS = 10_000

/** The options of @fastify/jwt for a service that signs and checks with one HS256 key. */
export function jwtOptions({ jwtSecret, issuer, audience }: JwtSettings): FastifyJWTOptions {
  return {
    secret: jwtSecret,
    sign: { algorithm: 'HS256', kid: keyId(jwtSecret), header: { alg: 'HS256', typ: TOKEN_TYPE } },
    verify: {
      algorithms: ['HS256'],
      allowedIss: issuer,
      ...(audience === undefined ? {} : { allowedAud: audience }),
      requiredClaims: ['iss', 'sub', 'jti', 'iat', 'exp', 'data'],
      // Expiry is judged apart: an expired token is refused by its own name, and may still log out.
      ignoreExpiration: true,
      cache: false,
    },
  }
}

interface JwtSettings {
  jwtSecret: string
  issuer: string
  audience: string | undefined
}

/** Names a key without giving it away (RFC 7515 §4.1.4). */
function keyId(secret: string): string {
  return createHmac('sha256', secret).update('kid').digest('base64url').slice(0, 11)
}

interface Needs extends Omit<JwtSettings, 'jwtSecret'> {
  jwt: Pick<JWT, 'sign' | 'verify'>
}

export type Tokens = ReturnType<typeof createTokens>

/** Writes and reads tokens. Knows nothing of sessions: a genuine token can belong to a session long ended. */
export function createTokens({ jwt, issuer, audience }: Needs) {
  // The only header that this service writes is also the only one that it reads: comparing it as text leaves
  // no room for another algorithm, for crit, jwk, jku or x5u, or for a second spelling (RFC 8725 §3.1).
  const header = `${jwt.sign({}).split('.', 1)[0]}.`

  // By its whole text, so that nothing that is not the very same token ever meets it. What it holds is what the text
  // says, never whether the session lives or the token has expired.
  const remembered = new LRUCache<string, Claims>({ max: REMEMBERED_TOKENS })

  return { sign, read }

  /** Writes the token of a session. `issuedAt` and `ttl` in seconds. */
  function sign(session: {
    userId: number
    sessionId: string
    stamp: number
    issuedAt: number
    ttl: number
  }): string {
    return jwt.sign({
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
   * The claims of a genuine token, expired or not. Touches no store.
   *
   * @throws Refusal `token_invalid` for anything else, whatever the library makes of it.
   */
  function read(token: string): Claims {
    if (token.length > MAX_TOKEN_LENGTH || !token.startsWith(header)) throw new Refusal('token_invalid')
    const known = remembered.get(token)
    if (known) return known
    const claims = verified(token)
    if (!areClaims.Check(claims) || !areConsistent(claims) || !isCanonical(token, claims)) {
      throw new Refusal('token_invalid')
    }
    remembered.set(token, claims)
    return claims
  }

  function verified(token: string): unknown {
    try {
      return jwt.verify(token)
    } catch {
      // The library has many more errors than its plugin maps to 401: here they are all the same.
      throw new Refusal('token_invalid')
    }
  }

  function areConsistent(claims: Claims): boolean {
    return claims.iss === issuer && claims.aud === audience && claims.sub === String(claims.data.id)
  }
}

/** Whether the payload is spelled as this service spells it: no repeated member, no broken UTF-8, no odd number. */
function isCanonical(token: string, claims: Claims): boolean {
  return Buffer.from(JSON.stringify(claims)).toString('base64url') === token.split('.')[1]
}

/** On or after `exp` a token has expired (RFC 7519 §4.1.4). `now` in milliseconds. */
export function hasExpired(claims: Claims, now = Date.now()): boolean {
  return now >= claims.exp * 1000
}
