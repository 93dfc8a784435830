import type { IncomingMessage } from 'node:http'
import { DETAILS } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'
import { isDecodable, textOf } from '../text/utf8.js'
import { isRepeated } from './repeated-header.js'

type Headers = Pick<IncomingMessage, 'headers' | 'rawHeaders'>

/**
 * The text of a JSON body. Refuses bytes that are not UTF-8 (RFC 8259 §8.1) and escapes that are
 * half a surrogate pair (§8.2). Both would become U+FFFD, so that different passwords
 * could become equal.
 *
 * @throws Refusal `invalid_request` or `unsupported_media_type`
 */
export function jsonText(request: Headers, bytes: Uint8Array): string {
  const text = bodyText(request, bytes)
  if (text.includes('\\u') && holdsHalfPair(text)) {
    throw new Refusal('invalid_request', { msg: DETAILS.holdsHalfPair })
  }
  return text
}

/** The refusal of a text that the JSON parser refuses: no JSON, or it poisons a prototype. */
export function notParsed(text: string): Refusal {
  try {
    JSON.parse(text)
    return new Refusal('invalid_request')
  } catch {
    return new Refusal('invalid_request', { msg: DETAILS.bodyNotJson })
  }
}

/**
 * The text of a form body. Its %-escapes must be UTF-8 too (WHATWG URL §5.1): the parser leaves
 * other escapes undecoded.
 *
 * @throws Refusal `invalid_request` or `unsupported_media_type`
 */
export function formText(request: Headers, bytes: Uint8Array): string {
  const text = bodyText(request, bytes)
  if (text.includes('%') && !isDecodable(text)) {
    throw new Refusal('invalid_request', { msg: DETAILS.badEscapes })
  }
  return text
}

function bodyText({ headers, rawHeaders }: Headers, bytes: Uint8Array): string {
  if (isRepeated(rawHeaders, 'content-type')) {
    throw new Refusal('invalid_request', { msg: DETAILS.severalContentTypes })
  }
  if (!saysUtf8(headers['content-type'] ?? '')) {
    throw new Refusal('unsupported_media_type', { msg: DETAILS.otherCharset })
  }
  const text = textOf(bytes)
  if (text === undefined) throw new Refusal('invalid_request', { msg: DETAILS.bodyNotUtf8 })
  return text
}

/**
 * Whether a content type names no charset other than UTF-8. Strict: a parameter that only looks
 * like a charset is refused.
 */
function saysUtf8(contentType: string): boolean {
  return !contentType.includes(';') || !/charset/i.test(contentType.replace(CHARSET_UTF8, ''))
}

/** Also `utf8`, as databases and old libraries spell it. */
const CHARSET_UTF8 = /;[ \t]*charset=("?)utf-?8\1[ \t]*(?=;|$)/gi

/** Removes every other escape first: in `\\ud800` the backslash is escaped, and `ud800` is text. */
function holdsHalfPair(json: string): boolean {
  return HALF_PAIR.test(json.replace(/\\[^u]/g, ' '))
}

const HALF_PAIR = /\\ud[89ab]..(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f]/i
