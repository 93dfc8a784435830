import type { JsonWebKey } from 'node:crypto'

/**
 * RFC 7518 §3.3 requires at least 2048 bits. With more than 4096, signing the token of each login
 * would block the event loop too long.
 */
const BITS = { min: 2048, max: 4096 }

/** FIPS 186-5 §A.1.1. A smaller exponent makes mistakes of a verifier exploitable. */
const MIN_EXPONENT = 65_537n

/** Modulo these primes, the moduli of CVE-2017-15361 (ROCA) are powers of 65537. */
const ROCA_PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157].map(BigInt)

/**
 * What is wrong with a private RSA key. @returns undefined if it is strong and its members are
 * consistent (RFC 8017 §3.2).
 */
export function problemOfRsa(jwk: JsonWebKey): string | undefined {
  const [n, e, d, p, q] = [
    asNumber(jwk.n),
    asNumber(jwk.e),
    asNumber(jwk.d),
    asNumber(jwk.p),
    asNumber(jwk.q),
  ]
  const bits = n.toString(2).length
  if (bits < BITS.min || bits > BITS.max) return `RSA of ${bits} bits: expected ${BITS.min} to ${BITS.max}`
  if (e < MIN_EXPONENT) return `e: expected an exponent of ${MIN_EXPONENT} or more`
  if (ROCA_PRIMES.every((prime) => isPowerOf65537(n % prime, prime))) {
    return 'RSA key of a generator whose private keys can be computed (CVE-2017-15361)'
  }
  const fits =
    p > 1n &&
    q > 1n &&
    p * q === n &&
    asNumber(jwk.dp) === d % (p - 1n) &&
    asNumber(jwk.dq) === d % (q - 1n) &&
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    (asNumber(jwk.qi) * q) % p === 1n
  return fits ? undefined : 'its members do not fit together'
}

function asNumber(base64url = ''): bigint {
  return BigInt(`0x0${Buffer.from(base64url, 'base64url').toString('hex')}`)
}

function isPowerOf65537(remainder: bigint, prime: bigint): boolean {
  for (let power = 65_537n % prime; ; power = (power * 65_537n) % prime) {
    if (power === remainder) return true
    if (power === 1n) return false
  }
}
