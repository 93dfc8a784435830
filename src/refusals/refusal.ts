import { MESSAGES, type Message } from './messages.js'

/** The slug of a refusal, which programs read. A public contract: add slugs, never rename one. */
export type Slug = keyof typeof MESSAGES

/** The slugs that refuse a presented token or its session. */
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
  /** Replaces the slug's own message by one that says more. */
  msg?: Message
  /** The `data` of the answer. */
  data?: Record<string, unknown>
  /** The exact reason, for the logs only. */
  reason?: string
  /** Seconds after which another try makes sense. */
  retryAfter?: number
}

/**
 * A failure that a caller can cause or must be told. Subjects and hooks throw it, the error
 * handlers of http/ answer it. `message` is English, for logs and the command line.
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
 * The service cannot decide, for example because a store gave no answer in time. Never report an
 * outage as a refused token: callers would discard their tokens and log in again, and the outage
 * would become a flood of password hashing.
 */
export class Unavailable extends Refusal {
  constructor(reason: string) {
    super('temporarily_unavailable', { reason, retryAfter: 1 })
  }
}

/** A password was not hashed and will not be: the answer reveals nothing about it. */
export class NotHashed extends Unavailable {}

/** A password is still being compared when the time is up. `outcome` settles later. */
export class ComparedTooLate extends Unavailable {
  readonly outcome: Promise<boolean>

  constructor(outcome: Promise<boolean>) {
    super('out of time while hashing')
    this.outcome = outcome
  }
}
