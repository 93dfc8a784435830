import { foreignText, humanText, isPredictable, latinText, leetText, wideText } from './predictable.js'
import { isPublishedSecret } from './published-keys.js'

/** RFC 7518 §3.2: at least as long as the output of the hash function. */
const MIN_BYTES = 32

/**
 * Characters that must remain of a secret without the words in it. A random secret holds such a
 * word once in 30,000.
 */
const MIN_BESIDE_WORDS = 24

/** Parts of the secrets that documentation and people make up. */
const WELL_KNOWN =
  /secret|passw(?:or)?d?|change[-_ ]?me|example|qwerty(?:uiop)?|asdfghjkl|zxcvbnm|1qaz2wsx|1q2w3e4r|default|placeholder|your[-_ ]|12345\d*|abcde|insecure|letmein|sample|testing|development|production|token|super|signing/gi

/**
 * A part of a key pair as PEM, JWK or OpenSSH writes it, or a token. A public key looks random, but
 * everybody knows it.
 */
const OF_A_PAIR = /-----BEGIN |"kty"|^(?:ssh|ecdsa)-\S+ AAAA|^eyJ[\w-]+\.[\w-]+\.[\w-]*$/

/**
 * The same in DER, by the object identifiers of RSA, elliptic curves and Edwards curves and by the
 * headers of RSA keys; and in OpenSSH's own binary form.
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

/** A secret, or what it decodes to: as text if it is text, otherwise as bytes only. */
interface Reading {
  bytes: Buffer
  text: string | undefined
}

/**
 * Whether an HS256 key looks like at least 32 random bytes that nobody has published. What it
 * decodes to must look so, too, in every layer: base64 of words is words. Looking cannot prove that
 * a secret is random; this rules out what people type and what is printed. Of a million outputs of
 * `openssl rand -base64 32` none is refused.
 */
export function isStrongSecret(secret: string): boolean {
  const found = readings(Buffer.from(secret))
  // A form that decodes to text only encodes that text, which is judged in its place.
  const meant = found.filter((_, index) => found[index + 1]?.text === undefined)
  return meant.every(looksRandom) && !found.some(({ bytes }) => isPublishedSecret(bytes))
}

/**
 * The secret without what surrounds it, then what it decodes to, down to the innermost form. All
 * spellings of one key end in the same form.
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
 * The text of these bytes, without quotes and Laravel's prefix `base64:`. Undefined if they are not
 * UTF-8, or hold control characters that nobody writes.
 */
function asText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the regex looks for them.
  if (/[\x00-\x08\x0e-\x1f\x7f]/.test(text) || !Buffer.from(text).equals(bytes)) return undefined
  return text
    .trim()
    .replace(/^(["'])(.{32,})\1$/s, '$2')
    .replace(/^base64:/, '')
}

/** Decodes one layer. The result is always shorter than the text. */
function decoded(text: string): Buffer | undefined {
  // Only if everything is escaped that must be. Otherwise % is one sign among others.
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

/** The hexadecimal digits of a text, without the prefixes and separators of some notations. */
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
  // Base64 has lower-case and upper-case letters. Among 43 random digits one kind is missing once
  // in a billion times.
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
