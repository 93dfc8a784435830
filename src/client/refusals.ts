import { Refusal, type TokenSlug } from '../refusals/refusal.js'

/** The service, or the form of the token itself, says no: answer 401. `error` is the service's reason. */
export class TokenRefused extends Refusal {
  override readonly name = 'TokenRefused'
  readonly error: TokenSlug

  constructor(error: TokenSlug) {
    super(error)
    this.error = error
  }
}

/**
 * Nobody knows whether the token is live: answer 503, never 401, and keep the token. `retryAfter` in seconds;
 * `reason` is for logs and holds nothing of the token.
 */
export class ServiceUnavailable extends Refusal {
  override readonly name = 'ServiceUnavailable'
  declare readonly retryAfter: number
  declare readonly reason: string

  constructor(reason: string, retryAfter = 1) {
    super('temporarily_unavailable', { reason, retryAfter })
  }
}
