import type { IncomingHttpHeaders } from 'node:http'
import Negotiator from 'negotiator'
import { LANGUAGES, type Language } from '../refusals/language.js'

/** Browsers send less than 100 characters. Parsing the 8 KB that fit into a request is slow. */
const MAX_LENGTH = 256

/**
 * The language that a caller prefers by `Accept-Language` (RFC 9110 §12.5.4): the first range in
 * the order of weight that names a supported language, in any script or region (RFC 4647 §3.4).
 * Never fails: an unreadable range is ignored, and English is the default.
 */
export function preferredLanguage({ 'accept-language': header }: IncomingHttpHeaders): Language {
  if (header === undefined || header.length > MAX_LENGTH) return 'en'
  const negotiator = new Negotiator({ headers: { 'accept-language': header } })
  for (const range of negotiator.languages()) {
    // `*` is any language that no other range refuses.
    if (range === '*') return negotiator.language(LANGUAGES) === 'zh' ? 'zh' : 'en'
    const wanted = LANGUAGES.find((language) => language === range.split('-')[0]?.toLowerCase())
    if (wanted) return wanted
  }
  return 'en'
}
