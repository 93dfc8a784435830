/** Pieces of the keys that documentation and people make up. A random key holds one by chance once in 100,000. */
const WELL_KNOWN =
  /secret|passw|change[-_ ]?me|example|qwerty|default|placeholder|your[-_ ]|12345|abcde|insecure|letmein|sample|testing|development|production|token|super|signing|AyM1SysPpbyDfgZld3um/i

/** A key pair's parts in PEM, as a JWK, or as base64 of DER. The public one looks random and is known to everybody. */
const PART_OF_A_PAIR = /-----BEGIN |"kty"|MCowBQYDK2Vw|MFkwEwYHKoZIzj0C|ANBgkqhkiG9w0B/

/**
 * Whether an HS256 key looks like at least 32 random bytes (RFC 7518 §3.2): 64 hexadecimal digits, or 32 and more
 * characters that are mixed as base64 mixes them. Words run in one case and keyboards in one row, so few pairs of
 * neighbours may be of one kind. Guessing cannot be ruled out by looking; this rules out what people type.
 */
export function isStrongSecret(secret: string): boolean {
  if (Buffer.byteLength(secret) < 32 || WELL_KNOWN.test(secret) || new Set(secret).size < 12) return false
  if (PART_OF_A_PAIR.test(secret)) return false
  if (/^(.{1,32})\1+.{0,31}$/s.test(secret)) return false
  if (/^[\da-f]+$/i.test(secret)) return secret.length >= 64 && !hasRuns(secret)
  const upper = secret.match(/[A-Z]/g)?.length ?? 0
  const lower = secret.match(/[a-z]/g)?.length ?? 0
  return upper >= 3 && lower >= 3 && shareOfLikeNeighbours(secret) < 0.7
}

/** Whether half of the neighbours are equal or follow one another, as in 00112233 and fedcba98. */
function hasRuns(hex: string): boolean {
  const digits = [...hex].map((digit) => Number.parseInt(digit, 16))
  const near = digits.filter((digit, index) => index > 0 && Math.abs(digit - (digits[index - 1] ?? 0)) <= 1)
  return near.length > digits.length / 2
}

function shareOfLikeNeighbours(text: string): number {
  const kinds = text.replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A').replace(/\d/g, '0')
  const alike = [...kinds].filter((kind, index) => kind === kinds[index - 1])
  return alike.length / (kinds.length - 1)
}
