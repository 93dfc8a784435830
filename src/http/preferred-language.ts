import type { IncomingHttpHeaders } from 'node:http'
import Negotiator from 'negotiator'
import { LANGUAGES, type Language } from '../refusals/language.js'

/** Browsers send less than 100 characters. The 8 KB that fit into a request would take a millisecond to weigh. */
const MAX_LENGTH = 256

/**
 * The language that a caller wants by `Accept-Language` (RFC 9110 §12.5.4): of the ranges in the order of their weight
 * the first that names one of ours, in whatever script or region (RFC 4647 §3.4). Never fails: what cannot be read asks
 * for nothing.
 */
export function preferredLanguage({ 'accept-language': header }: IncomingHttpHeaders): Language {
  if (header === undefined || header.length > MAX_LENGTH) return 'en'
  const negotiator = new Negotiator({ headers: { 'accept-language': header } })
  for (const range of negotiator.languages()) {
    // Any language that the other ranges do not refuse.
    if (range === '*') return negotiator.language(LANGUAGES) === 'zh' ? 'zh' : 'en'
    const wanted = LANGUAGES.find((language) => language === range.split('-')[0]?.toLowerCase())
    if (wanted) return wanted
  }
  return 'en'
}
