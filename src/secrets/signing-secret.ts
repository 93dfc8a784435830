import { foreignText, humanText, isPredictable, latinText, leetText, wideText } from './predictable.js'
import { isPublishedSecret } from './published-keys.js'

/** RFC 7518 §3.2: as long as what the hash function gives. */
const MIN_BYTES = 32

/**
 * What has to be left of a secret without the words in it. A random one holds such a word once in
 * 30,000.
 */
const MIN_BESIDE_WORDS = 24

/** Pieces of the keys that documentation and people make up. */
const WELL_KNOWN =
  /secret|passw(?:or)?d?|change[-_ ]?me|example|qwerty(?:uiop)?|asdfghjkl|zxcvbnm|1qaz2wsx|1q2w3e4r|default|placeholder|your[-_ ]|12345\d*|abcde|insecure|letmein|sample|testing|development|production|token|super|signing/gi

/**
 * A key pair's parts as PEM, JWK or OpenSSH have them, and a token. The public part looks random
 * and is known to everybody.
 */
const OF_A_PAIR = /-----BEGIN |"kty"|^(?:ssh|ecdsa)-\S+ AAAA|^eyJ[\w-]+\.[\w-]+\.[\w-]*$/

/**
 * The same in DER, by the names that it has for RSA, elliptic curves and Edwards curves; OpenSSH's
 * own form.
 */
const OF_A_PAIR_IN_BYTES = [
  '06092a864886f70d0101',
  '06072a8648ce3d0201',
  '06032b6570',
  '06032b6571',
  '3082010a02820101',
  '3082018a02820181',
  '3082020a02820201',
  Buffer.from('ssh-rsa').toString('hex'),
  Buffer.from('ssh-ed25519').toString('hex'),
  Buffer.from('ecdsa-sha2').toString('hex'),
].map((hex) => Buffer.from(hex, 'hex'))

const HEX = /^[\da-f]+$/i

/** What a secret says, or what one gets by decoding it: text where it is, or else bytes. */
interface Reading {
  bytes: Buffer
  text: string | undefined
}

/**
 * Whether an HS256 key looks like at least 32 random bytes that nobody has published. What it
 * decodes to has to look so, too, as often as it can be decoded: base64 of words is words. Guessing
 * cannot be ruled out by looking; this rules out what people type, and what is printed. Of a
 * million results of `openssl rand -base64 32` not one is refused.
 */
export function isStrongSecret(secret: string): boolean {
  const found = readings(Buffer.from(secret))
  // What decodes to text is only a way to write that text.
  const meant = found.filter((_, index) => found[index + 1]?.text === undefined)
  return meant.every(looksRandom) && !found.some(({ bytes }) => isPublishedSecret(bytes))
}

/**
 * The secret itself, without what surrounds it, then what it decodes to, to the innermost: one key,
 * however it is spelled.
 */
export function readings(secret: Buffer): Reading[] {
  const found: Reading[] = []
  for (let bytes: Buffer | undefined = secret; bytes !== undefined; ) {
    const text = asText(bytes)
    found.push(text === undefined ? { bytes, text } : { bytes: Buffer.from(text), text })
    bytes = text === undefined ? undefined : decoded(text)
  }
  return found
}

/**
 * Undefined for what is not UTF-8, or has characters that nobody writes. Without quotes and the
 * prefix that Laravel writes.
 */
function asText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  if (/[\x00-\x08\x0e-\x1f\x7f]/.test(text) || !Buffer.from(text).equals(bytes)) return undefined
  return text
    .trim()
    .replace(/^(["'])(.{32,})\1$/s, '$2')
    .replace(/^base64:/, '')
}

/** Each turn gives fewer bytes than it takes. */
function decoded(text: string): Buffer | undefined {
  // Only where all that has to be encoded is, for a % can be one of many signs.
  if (/^(?:%[\da-f]{2}|[\w.~-])+$/i.test(text) && text.includes('%')) {
    return Buffer.from(
      text.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    )
  }
  const hex = hexOf(text)
  if (hex !== undefined) return hex.length % 2 === 0 ? Buffer.from(hex, 'hex') : undefined
  const base64 = text.replace(/\s/g, '')
  const [, digits = ''] = /^([\w+/-]+)=*$/.exec(base64) ?? []
  return digits.length >= 4 && digits.length % 4 !== 1 ? Buffer.from(digits, 'base64') : undefined
}

/** Hexadecimal digits without what stands before and between them in some notations. */
function hexOf(text: string): string | undefined {
  const digits = text.replace(/0x|\\x|[\s:,]/gi, '')
  return HEX.test(digits) ? digits : undefined
}

function looksRandom({ bytes, text }: Reading): boolean {
  return text === undefined ? areRandomBytes(bytes) : isRandomText(text)
}

function areRandomBytes(bytes: Buffer): boolean {
  if (OF_A_PAIR_IN_BYTES.some((part) => bytes.includes(part))) return false
  return !isPredictable([...bytes], 256, { encodings: [latinText, wideText, foreignText] })
}

function isRandomText(text: string): boolean {
  if (text.length < MIN_BYTES || OF_A_PAIR.test(text)) return false
  const hex = hexOf(text)
  if (hex !== undefined) return isRandomHex(hex)
  if (!/^[\x20-\x7e]+$/.test(text.replace(/\s/g, ' '))) return false
  const besideWords = text.replace(WELL_KNOWN, '')
  if (besideWords.length < MIN_BESIDE_WORDS) return false
  const isBase64 = /^[\w+/=-]+$/.test(text)
  // Digits of base64 are small letters and large ones: among 43 of them one kind is missing once in
  // a billion times.
  if (isBase64 && !(/[a-z]/.test(text) && /[A-Z]/.test(text))) return false
  const alphabet = isBase64 ? 64 : 95
  return ![text, besideWords].some((part) =>
    isPredictable(codesOf(part), alphabet, { languages: [humanText, leetText] }),
  )
}

function codesOf(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0))
}

function isRandomHex(hex: string): boolean {
  if (hex.length < 2 * MIN_BYTES || /^\d+$/.test(hex)) return false
  const digits = [...hex].map((digit) => Number.parseInt(digit, 16))
  return !isPredictable(digits, 16)
}
