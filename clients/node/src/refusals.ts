import { MESSAGES } from './messages.js'

/** The service's reasons to refuse a token. */
const TOKEN_REASONS = [
  'token_invalid',
  'token_expired',
  'session_superseded',
  'session_ended',
  'user_disabled',
] as const satisfies (keyof typeof MESSAGES)[]

export type TokenReason = (typeof TOKEN_REASONS)[number]

/** Whether a value of any type is one of the service's reasons to refuse a token. */
export function isTokenReason(error: unknown): error is TokenReason {
  return (TOKEN_REASONS as readonly unknown[]).includes(error)
}

/**
 * The service refused the token, or the token is malformed: answer 401. `error` is the service's
 * reason.
 */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused'
  readonly status = 401
  readonly error: TokenReason

  constructor(error: TokenReason) {
    super(MESSAGES[error].en)
    this.error = error
  }
}

/**
 * The service gave no answer about the token: answer 503, never 401, and keep the token.
 * `retryAfter` in seconds. `reason` is for logs and holds no part of the token.
 */
export class ServiceUnavailable extends Error {
  override readonly name = 'ServiceUnavailable'
  readonly status = 503
  readonly error = 'temporarily_unavailable'
  readonly reason: string
  readonly retryAfter: number

  constructor(reason: string, retryAfter = 1) {
    super(MESSAGES.temporarily_unavailable.en)
    this.reason = reason
    this.retryAfter = retryAfter
  }
}
