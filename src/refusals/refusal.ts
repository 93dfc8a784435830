import { MESSAGES, type Message } from './messages.js'

/** Every way in which this service refuses, by the slug that programs read. A public contract: add, never rename. */
export type Slug = keyof typeof MESSAGES

/** What is wrong with a token that was presented, or with its session. */
export const TOKEN_SLUGS = [
  'token_invalid',
  'token_expired',
  'session_superseded',
  'session_ended',
  'user_disabled',
] as const satisfies Slug[]

export type TokenSlug = (typeof TOKEN_SLUGS)[number]

export function isAboutToken(slug: unknown): slug is TokenSlug {
  return (TOKEN_SLUGS as readonly unknown[]).includes(slug)
}

interface Details {
  /** Replaces the slug's own message where the caller can be told more. */
  msg?: Message
  /** What the answer holds beside the message. */
  data?: Record<string, unknown>
  /** For the logs only: why the request was really refused. */
  reason?: string
  /** Seconds after which another try makes sense. */
  retryAfter?: number
}

/**
 * A failure that a caller can cause or has to bear. Thrown by subjects and hooks, and answered in one
 * place; `message` is English, for logs and the command line.
 */
export class Refusal extends Error {
  readonly slug: Slug
  readonly msg: Message
  readonly data: Record<string, unknown> | undefined
  readonly reason: string | undefined
  readonly retryAfter: number | undefined

  constructor(slug: Slug, { msg = MESSAGES[slug], data, reason, retryAfter }: Details = {}) {
    super(msg.en)
    this.slug = slug
    this.msg = msg
    this.data = data
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/**
 * A store did not do what was asked within its time. This is never said of a token: a client whose
 * token is refused throws it away and logs in again, and so an outage would become a flood of
 * password hashing.
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
