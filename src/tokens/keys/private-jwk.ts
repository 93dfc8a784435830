import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { OperatorError } from '../../refusals/operator-error.js'
import { isPublishedPair } from '../../secrets/published-keys.js'
import { problemOfRsa } from './rsa-keys.js'
import { type PublicJwk, type SigningKey, thumbprint } from './signing-key.js'

/** A private key as a file holds it (RFC 7517 §4). Unknown members stay as they are. */
export type PrivateJwk = Record<string, unknown>

/** Key type and hash of each algorithm (RFC 8037 §3.1, RFC 7518 §3.3 and §3.4). */
const KINDS = [
  { algorithm: 'EdDSA', kty: 'OKP', crv: 'Ed25519', hash: null },
  { algorithm: 'ES256', kty: 'EC', crv: 'P-256', hash: 'sha256' },
  { algorithm: 'RS256', kty: 'RSA', crv: undefined, hash: 'sha256' },
] as const

/** A `kid` is in the header of every token, and in logs. */
const KEY_ID = /^[\x21-\x7e]{1,64}$/

/**
 * The signing key of a private JWK that is well-formed and strong.
 *
 * @param name what messages call it.
 * @throws OperatorError that says what is wrong with it, and repeats no part of the key.
 */
export function signingKey(jwk: unknown, name: string): SigningKey {
  if (!isObject(jwk)) throw new OperatorError(`${name}: expected an object`)
  if (jwk.kty === 'oct') throw new OperatorError(`${name}: is a secret: set JWT_SECRET to it instead`)
  const kind = KINDS.find(({ kty, crv }) => jwk.kty === kty && (crv === undefined || jwk.crv === crv))
  if (!kind) throw new OperatorError(`${name}: kty, crv: expected OKP with Ed25519, EC with P-256, or RSA`)
  const { algorithm, hash } = kind
  requireMembers(jwk, algorithm, name)

  const privateKey = asPrivateKey(jwk, name)
  const publicKey = createPublicKey(privateKey)
  const members = privateKey.export({ format: 'jwk' })
  const problem = algorithm === 'RS256' ? problemOfRsa(members) : undefined
  if (problem !== undefined) throw new OperatorError(`${name}: ${problem}`)
  if (Object.keys(members).some((member) => members[member] !== jwk[member])) {
    throw new OperatorError(`${name}: its members do not fit together, or are not encoded as in RFC 7518`)
  }
  if (!isPair(privateKey, publicKey, hash))
    throw new OperatorError(`${name}: its members do not fit together`)
  if (isPublishedPair(thumbprint(publicKey))) {
    throw new OperatorError(
      `${name}: is printed in some documentation, so everybody knows it: generate another one`,
    )
  }
  const id = typeof jwk.kid === 'string' ? jwk.kid : thumbprint(publicKey)
  return {
    id,
    algorithm,
    signs: maySign(jwk.key_ops),
    signsWith: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    checksWith: publicKey.export({ type: 'spki', format: 'pem' }),
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid: id, alg: algorithm, use: 'sig' } as PublicJwk,
  }
}

function requireMembers(jwk: PrivateJwk, algorithm: string, name: string): void {
  if (jwk.d === undefined)
    throw new OperatorError(`${name}: is a public key: the private one is needed to sign`)
  if (jwk.alg !== undefined && jwk.alg !== algorithm) {
    throw new OperatorError(`${name}: alg: expected ${algorithm} for this kind of key`)
  }
  if (jwk.use !== undefined && jwk.use !== 'sig') throw new OperatorError(`${name}: use: expected sig`)
  if (!maySign(jwk.key_ops) && !isAmong('verify', jwk.key_ops)) {
    throw new OperatorError(`${name}: key_ops: expected sign or verify among them`)
  }
  if (jwk.kid !== undefined && !(typeof jwk.kid === 'string' && KEY_ID.test(jwk.kid))) {
    throw new OperatorError(`${name}: kid: expected 1 to 64 printable characters of ASCII, without spaces`)
  }
}

/**
 * RFC 7517 §4.3: a key with only `verify` in key_ops is on standby. Verifiers know it, but it does
 * not sign yet.
 */
function maySign(operations: unknown): boolean {
  return operations === undefined || isAmong('sign', operations)
}

function isAmong(one: string, all: unknown): boolean {
  return Array.isArray(all) && all.includes(one)
}

function asPrivateKey(jwk: PrivateJwk, name: string): KeyObject {
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    // The library's own message may hold a part of the key.
    throw new OperatorError(
      `${name}: is malformed, or lacks a member (an RSA key has n, e, d, p, q, dp, dq and qi)`,
    )
  }
}

/**
 * Whether the public key verifies what the private key signs. A JWK can combine parts of different
 * keys.
 */
function isPair(privateKey: KeyObject, publicKey: KeyObject, hash: string | null): boolean {
  const text = Buffer.from('a trial')
  try {
    return verify(hash, text, publicKey, sign(hash, text, privateKey))
  } catch {
    return false
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
