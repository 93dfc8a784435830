import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { PrivateJwk } from './private-jwk.js'
import { type PairAlgorithm, thumbprint } from './signing-key.js'

/** As strong as the other two algorithms (NIST SP 800-57 part 1, table 2). */
const RSA_BITS = 3072

const MAKE: Record<PairAlgorithm, () => { privateKey: KeyObject; publicKey: KeyObject }> = {
  EdDSA: () => generateKeyPairSync('ed25519'),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: RSA_BITS }),
}

/**
 * A new private key for a JWK set. Its `kid` is its thumbprint (RFC 7638).
 *
 * @param standby whether it only verifies for now.
 */
export function newKey(algorithm: PairAlgorithm, { standby = false } = {}): PrivateJwk {
  const { privateKey, publicKey } = MAKE[algorithm]()
  return {
    kid: thumbprint(publicKey),
    alg: algorithm,
    ...(standby ? { key_ops: ['verify'] } : { use: 'sig' }),
    ...privateKey.export({ format: 'jwk' }),
  }
}
