import assert from 'node:assert/strict'
import { createHmac, type KeyObject, timingSafeEqual, verify } from 'node:crypto'

export type Verdict = 'genuine' | 'token_expired' | 'token_invalid'

/** The public half of a key pair, and its algorithm. */
export interface Pair {
  alg: 'EdDSA' | 'ES256' | 'RS256'
  publicKey: KeyObject
}

interface Terms {
  /** The key that should have signed the token: the secret of HS256, or a key pair. */
  secret: string | Pair
  /** The key id that a token of this service carries. */
  kid: string
  issuer: string
  audience?: string | undefined
  /** Milliseconds since the epoch. */
  now?: number
}

/**
 * A second verdict on a token: RFC 7515 §5.2 and RFC 7519 §7.2, implemented with node:crypto and
 * without code of the service. Where the two verdicts differ, one of them is wrong.
 */
export function verdictOf(
  token: string,
  { secret, kid, issuer, audience, now = Date.now() }: Terms,
): Verdict {
  try {
    const alg = typeof secret === 'string' ? 'HS256' : secret.alg
    assert(
      typeof secret === 'string'
        ? hasGenuineSignature(token, Buffer.from(secret))
        : hasGenuinePairSignature(token, secret),
    )
    const [header = '', payload = ''] = token.split('.')
    assert.equal(JSON.stringify(parsed(header)), JSON.stringify({ alg, typ: 'session+jwt', kid }))
    const claims = parsed(payload)
    const { jti, iat, exp, data } = claims
    const { id, login_time } = data
    const aud = audience === undefined ? {} : { aud: audience }
    assert.deepEqual(claims, { iss: issuer, sub: `${id}`, jti, iat, exp, ...aud, data: { id, login_time } })
    for (const number of [iat, exp, login_time, id - 1]) assert(Number.isInteger(number) && number >= 0)
    assert(Number.isSafeInteger(id) && typeof jti === 'string' && /^[\w-]{22,64}$/.test(jti))
    return now >= exp * 1000 ? 'token_expired' : 'genuine'
  } catch {
    return 'token_invalid'
  }
}

/** Whether the third segment is the HMAC of the other two (RFC 7515 §5.2, RFC 7518 §3.2). */
export function hasGenuineSignature(token: string, key: Buffer): boolean {
  return hasSignature(token, 32, (input, signature) =>
    timingSafeEqual(createHmac('sha256', key).update(input).digest(), signature),
  )
}

/** The same for a signature by a key pair (RFC 8037 §3.1, RFC 7518 §3.3 and §3.4). */
export function hasGenuinePairSignature(token: string, { alg, publicKey }: Pair): boolean {
  const { modulusLength = 512 } = publicKey.asymmetricKeyDetails ?? {}
  return hasSignature(token, modulusLength / 8, (input, signature) =>
    verify(
      alg === 'EdDSA' ? null : 'sha256',
      input,
      { key: publicKey, dsaEncoding: 'ieee-p1363' },
      signature,
    ),
  )
}

function hasSignature(
  token: string,
  bytes: number,
  isGenuine: (input: Buffer, signature: Buffer) => boolean,
): boolean {
  const [header = '', payload = '', signature = '', ...more] = token.split('.')
  // The last character holds bits that no byte uses, so a signature has several equal spellings.
  if (more.length > 0 || !/^[\w-]*$/.test(signature)) return false
  if (signature.length !== Math.ceil((bytes * 4) / 3) || ![header, payload].every(isBase64url)) return false
  return isGenuine(Buffer.from(`${header}.${payload}`), Buffer.from(signature, 'base64url'))
}

/** The value of a segment. @throws for a second spelling, a repeated member or malformed UTF-8 */
function parsed(segment: string) {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
    Buffer.from(segment, 'base64url'),
  )
  const value = JSON.parse(text)
  assert.equal(JSON.stringify(value), text)
  return value
}

/** RFC 7515 §2: no padding, no white space, no other character, and no unused bit that is set. */
function isBase64url(segment: string): boolean {
  return Buffer.from(segment, 'base64url').toString('base64url') === segment
}
