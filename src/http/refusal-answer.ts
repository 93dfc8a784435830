import type { Language } from '../refusals/language.js'
import { MESSAGES } from '../refusals/messages.js'
import { isAboutToken, type Refusal, type Slug } from '../refusals/refusal.js'

export const STATUS_OF = {
  invalid_request: 400,
  token_missing: 401,
  token_invalid: 401,
  token_expired: 401,
  session_superseded: 401,
  session_ended: 401,
  user_disabled: 401,
  invalid_credentials: 401,
  invalid_client: 401,
  not_allowed: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  mobile_taken: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  too_many_attempts: 429,
  headers_too_large: 431,
  internal: 500,
  temporarily_unavailable: 503,
} as const satisfies Record<Slug, number>

export function envelopeOf({ slug, msg, data }: Refusal, language: Language) {
  return { code: STATUS_OF[slug], error: slug, msg: msg[language], ...(data && { data }) }
}

/** Headers of a refusal: its challenge, and Retry-After in seconds (RFC 9110 §10.2.3). */
export function headersOf({ slug, retryAfter }: Refusal): Record<string, string> {
  const headers: Record<string, string> = { 'cache-control': 'no-store' }
  if (STATUS_OF[slug] === 401) headers['www-authenticate'] = challenge(slug)
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter)
  return headers
}

/** RFC 6750 §3. Always English: the header may hold only ASCII. */
function challenge(slug: Slug): string {
  if (slug === 'invalid_client') return 'Basic realm="auth", charset="UTF-8"'
  if (!isAboutToken(slug)) return 'Bearer realm="auth"'
  return `Bearer realm="auth", error="invalid_token", error_description="${MESSAGES[slug].en}"`
}
