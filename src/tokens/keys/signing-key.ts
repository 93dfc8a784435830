import { createHash, createHmac, type KeyObject } from 'node:crypto'

/** What a token can be signed with: a secret, or one of three kinds of key pairs. */
export type Algorithm = 'HS256' | PairAlgorithm

export const PAIR_ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const
export type PairAlgorithm = (typeof PAIR_ALGORITHMS)[number]

/** A public key as others read it (RFC 7517 §4). */
export interface PublicJwk {
  readonly kty: 'OKP' | 'EC' | 'RSA'
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
  readonly kid: string
  readonly alg: PairAlgorithm
  readonly use: 'sig'
}

/** A key and its one algorithm: whatever a token says of itself, no key serves another (RFC 8725 §3.1). */
export interface SigningKey {
  /** The `kid`. Names the key and gives nothing of it away. */
  readonly id: string
  readonly algorithm: Algorithm
  /** Whether new tokens may be signed with it. It checks in any case. */
  readonly signs: boolean
  /** The PEM of the private key, or the secret. */
  readonly signsWith: string | Buffer
  /** The PEM of the public key, or the same secret. */
  readonly checksWith: string | Buffer
  /** Of a key pair, what everybody may know. */
  readonly publicJwk?: PublicJwk
}

/** The one of these keys that signs: the first that may. */
export function signingKeyOf(keys: readonly SigningKey[]): SigningKey | undefined {
  return keys.find(({ signs }) => signs)
}

/** The HS256 key that this secret is. */
export function secretKey(secret: string | Buffer, signs = true): SigningKey {
  const id = createHmac('sha256', secret).update('kid').digest('base64url').slice(0, 11)
  return { id, algorithm: 'HS256', signs, signsWith: secret, checksWith: secret }
}

/** The digest that names a public key where nobody has named it (RFC 7638 §3). */
export function thumbprint(publicKey: KeyObject): string {
  // The members that are exported are those that are required, and only their order is to be settled.
  const members = Object.entries(publicKey.export({ format: 'jwk' })).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url')
}
