import type { IncomingMessage } from 'node:http'
import { DETAILS } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'
import { isDecodable, textOf } from '../text/utf8.js'
import { isRepeated } from './repeated-header.js'

type Headers = Pick<IncomingMessage, 'headers' | 'rawHeaders'>

/**
 * The text of a body of JSON. Refuses what would be changed by reading it, and so could equal
 * another body's text: what is not UTF-8 (RFC 8259 §8.1), and an escape that is half a surrogate
 * pair, which UTF-8 cannot write (§8.2).
 *
 * @throws Refusal
 */
export function jsonText(request: Headers, bytes: Uint8Array): string {
  const text = bodyText(request, bytes)
  if (text.includes('\\u') && holdsHalfPair(text)) {
    throw new Refusal('invalid_request', { msg: DETAILS.holdsHalfPair })
  }
  return text
}

/**
 * The text of a form, whose escapes are UTF-8 too (WHATWG URL §5.1): parsers leave others as they
 * are. @throws Refusal
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
 * Whether a content type names no charset but UTF-8. Strict: what only looks like a charset is
 * refused.
 */
function saysUtf8(contentType: string): boolean {
  return !contentType.includes(';') || !/charset/i.test(contentType.replace(CHARSET_UTF8, ''))
}

/** Also without its hyphen, as databases and old libraries spell it. */
const CHARSET_UTF8 = /;[ \t]*charset=("?)utf-?8\1[ \t]*(?=;|$)/gi

/**
 * A backslash before it would be an escape of its own, and is taken out first: `\\ud800` is six
 * plain characters.
 */
function holdsHalfPair(json: string): boolean {
  return HALF_PAIR.test(json.replace(/\\[^u]/g, ' '))
}

const HALF_PAIR = /\\ud[89ab]..(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f]/i
