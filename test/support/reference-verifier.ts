import assert from 'node:assert/strict'
import { createHmac, timingSafeEqual } from 'node:crypto'

export type Verdict = 'genuine' | 'token_expired' | 'token_invalid'

interface Terms {
  secret: string
  /** The key id that a token of this service carries. */
  kid: string
  issuer: string
  audience?: string | undefined
  /** Milliseconds since the epoch. */
  now?: number
}

/**
 * What a token is, judged a second time: RFC 7515 §5.2 and RFC 7519 §7.2 written down with node:crypto alone, and
 * sharing no line with the service. Where the two differ, one of them is wrong.
 */
export function verdictOf(
  token: string,
  { secret, kid, issuer, audience, now = Date.now() }: Terms,
): Verdict {
  try {
    assert(hasGenuineSignature(token, Buffer.from(secret)))
    const [header = '', payload = ''] = token.split('.')
    assert.equal(JSON.stringify(parsed(header)), JSON.stringify({ alg: 'HS256', typ: 'session+jwt', kid }))
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

/** Whether this is three segments of which the third is the HMAC of the others (RFC 7515 §5.2, RFC 7518 §3.2). */
export function hasGenuineSignature(token: string, key: Buffer): boolean {
  const [header = '', payload = '', signature = '', ...more] = token.split('.')
  // The last of 43 characters carries two bits that no byte uses: a token has four spellings, and they are equal.
  if (more.length > 0 || !/^[\w-]{43}$/.test(signature)) return false
  if (![header, payload].every(isBase64url)) return false
  const mac = createHmac('sha256', key).update(`${header}.${payload}`).digest()
  return timingSafeEqual(mac, Buffer.from(signature, 'base64url'))
}

/** The one value of a segment: what has a second spelling, a repeated member or broken UTF-8 has none. */
function parsed(segment: string) {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
    Buffer.from(segment, 'base64url'),
  )
  const value = JSON.parse(text)
  assert.equal(JSON.stringify(value), text)
  return value
}

/** RFC 7515 §2: no padding, no white space, no other character; and no bit that is not used. */
function isBase64url(segment: string): boolean {
  return Buffer.from(segment, 'base64url').toString('base64url') === segment
}
