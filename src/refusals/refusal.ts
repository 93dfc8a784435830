import type { Language } from './language.js'
import { MESSAGES, type Message } from './messages.js'

/**
 * Every way in which this service refuses: the slug that programs read, and its HTTP status. What a person is told is
 * in messages.ts under the same name. Slugs are a public contract: add new ones, never rename one.
 */
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
  request_timeout: 408,
  mobile_taken: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  too_many_attempts: 429,
  headers_too_large: 431,
  internal: 500,
  temporarily_unavailable: 503,
} as const satisfies Record<keyof typeof MESSAGES, number>

export type Slug = keyof typeof STATUS_OF

/** Slugs that say something about a presented token, and so carry `error="invalid_token"` (RFC 6750 §3.1). */
const ABOUT_A_TOKEN = [
  'token_invalid',
  'token_expired',
  'session_superseded',
  'session_ended',
  'user_disabled',
] as const satisfies Slug[]

export type TokenSlug = (typeof ABOUT_A_TOKEN)[number]

export function isAboutToken(slug: unknown): slug is TokenSlug {
  return (ABOUT_A_TOKEN as readonly unknown[]).includes(slug)
}

interface Details {
  /** Replaces the slug's own message where the caller can be told more. */
  msg?: Message
  /** What the answer holds beside the message. */
  data?: Record<string, unknown>
  /** For the logs only: why the request was really refused. */
  reason?: string
  /** Seconds after which another try makes sense (RFC 9110 §10.2.3). */
  retryAfter?: number
}

/**
 * A failure that a caller can cause or has to bear. Thrown by hooks and services, answered by the error handler in the
 * caller's language; `message` is English, for logs and the command line.
 */
export class Refusal extends Error {
  readonly slug: Slug
  readonly status: number
  readonly msg: Message
  readonly data: Record<string, unknown> | undefined
  readonly reason: string | undefined
  readonly retryAfter: number | undefined

  constructor(slug: Slug, { msg = MESSAGES[slug], data, reason, retryAfter }: Details = {}) {
    super(msg.en)
    this.slug = slug
    this.status = STATUS_OF[slug]
    this.msg = msg
    this.data = data
    this.reason = reason
    this.retryAfter = retryAfter
  }

  /** The answer, in the platform's envelope. */
  bodyIn(language: Language) {
    return {
      code: this.status,
      error: this.slug,
      msg: this.msg[language],
      ...(this.data && { data: this.data }),
    }
  }

  /** Headers that belong to this refusal: the challenge of RFC 6750 §3, and when to come back. */
  get headers(): Record<string, string> {
    const headers: Record<string, string> = { 'cache-control': 'no-store' }
    if (this.status === 401) headers['www-authenticate'] = challenge(this.slug)
    if (this.retryAfter !== undefined) headers['retry-after'] = String(this.retryAfter)
    return headers
  }
}

/** English whatever the caller reads: only ASCII may be here (RFC 6750 §3). */
function challenge(slug: Slug): string {
  if (slug === 'invalid_client') return 'Basic realm="auth", charset="UTF-8"'
  if (!isAboutToken(slug)) return 'Bearer realm="auth"'
  return `Bearer realm="auth", error="invalid_token", error_description="${MESSAGES[slug].en}"`
}

/**
 * A store did not do what was asked within its time. Never a 401: a client that is told 401 throws its token
 * away and logs in again, and so turns an outage into a flood of password hashing.
 */
export class Unavailable extends Refusal {
  constructor(reason: string) {
    super('temporarily_unavailable', { reason, retryAfter: 1 })
  }
}

/** A password was not hashed and will not be: nobody has learned anything about it. */
export class NotHashed extends Unavailable {}

/** A password is being compared, and there is no time left to wait for the outcome. */
export class ComparedTooLate extends Unavailable {
  readonly outcome: Promise<boolean>

  constructor(outcome: Promise<boolean>) {
    super('out of time while hashing')
    this.outcome = outcome
  }
}

/** What stops a command or the start of the service. Its message is one readable line for the operator. */
export class OperatorError extends Error {}
