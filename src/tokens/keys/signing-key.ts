import { createHash, createHmac, type KeyObject } from 'node:crypto'

/** The algorithms of tokens: HS256 with a secret, or one of three with a key pair. */
export type Algorithm = 'HS256' | PairAlgorithm

export const PAIR_ALGORITHMS = ['EdDSA', 'ES256', 'RS256'] as const
export type PairAlgorithm = (typeof PAIR_ALGORITHMS)[number]

/** A public key as it is published (RFC 7517 §4). */
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

/**
 * A key and its one algorithm. Whatever a token claims, no key serves another algorithm (RFC 8725
 * §3.1).
 */
export interface SigningKey {
  /** The `kid`. It names the key and reveals nothing of it. */
  readonly id: string
  readonly algorithm: Algorithm
  /** Whether it may sign new tokens. It verifies in any case. */
  readonly signs: boolean
  /** The PEM of the private key, or the secret. */
  readonly signsWith: string | Buffer
  /** The PEM of the public key, or the same secret. */
  readonly checksWith: string | Buffer
  /** The public half of a key pair. */
  readonly publicJwk?: PublicJwk
}

/** The key of these that signs: the first that may. */
export function signingKeyOf(keys: readonly SigningKey[]): SigningKey | undefined {
  return keys.find(({ signs }) => signs)
}

/** The HS256 key of this secret. */
export function secretKey(secret: string | Buffer, signs = true): SigningKey {
  const id = createHmac('sha256', secret).update('kid').digest('base64url').slice(0, 11)
  return { id, algorithm: 'HS256', signs, signsWith: secret, checksWith: secret }
}

/** The JWK thumbprint of a public key (RFC 7638 §3), which names it if it has no `kid`. */
export function thumbprint(publicKey: KeyObject): string {
  // Node.js exports exactly the required members. RFC 7638 requires them sorted.
  const members = Object.entries(publicKey.export({ format: 'jwk' })).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url')
}
