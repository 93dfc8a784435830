import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

/**
 * Every way in which this service refuses: the slug that programs read, its HTTP status, and what a person
 * is told. Slugs are a public contract: add new ones, never rename one.
 */
export const REFUSALS = {
  invalid_request: { status: 400, msg: 'The request is not well-formed.' },
  token_missing: { status: 401, msg: 'Send exactly one token: Authorization: Bearer <token>.' },
  token_invalid: { status: 401, msg: 'The token is not valid.' },
  token_expired: { status: 401, msg: 'The token has expired: log in again.' },
  session_superseded: { status: 401, msg: 'This session ended because the user logged in elsewhere.' },
  session_ended: { status: 401, msg: 'This session has ended: log in again.' },
  user_disabled: { status: 401, msg: 'The account is disabled.' },
  invalid_credentials: { status: 401, msg: 'The mobile number or the password is wrong.' },
  not_found: { status: 404, msg: 'There is nothing at this address.' },
  request_timeout: { status: 408, msg: 'The request took too long to arrive.' },
  payload_too_large: { status: 413, msg: 'The request body is too large.' },
  unsupported_media_type: { status: 415, msg: 'Send the body as application/json.' },
  too_many_attempts: { status: 429, msg: 'Too many failed logins: wait before the next try.' },
  headers_too_large: { status: 431, msg: 'The request headers are too large.' },
  internal: { status: 500, msg: 'Something went wrong here.' },
  temporarily_unavailable: { status: 503, msg: 'The service cannot answer just now: try again in a second.' },
} as const satisfies Record<string, { status: number; msg: string }>

export type Slug = keyof typeof REFUSALS

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
  /** Replaces the catalogue's message where the caller can be told more. Never holds the caller's input. */
  msg?: string
  /** For the logs only: why the request was really refused. */
  reason?: string
  /** Seconds after which another try makes sense (RFC 9110 §10.2.3). */
  retryAfter?: number
}

/** A failure that a caller can cause or has to bear. Thrown by hooks and services, answered by the error handler. */
export class Refusal extends Error {
  readonly slug: Slug
  readonly status: number
  readonly reason: string | undefined
  readonly retryAfter: number | undefined

  constructor(slug: Slug, { msg, reason, retryAfter }: Details = {}) {
    super(msg ?? REFUSALS[slug].msg)
    this.slug = slug
    this.status = REFUSALS[slug].status
    this.reason = reason
    this.retryAfter = retryAfter
  }

  get body() {
    return { code: this.status, error: this.slug, msg: this.message }
  }

  /** Headers that belong to this refusal: the challenge of RFC 6750 §3, and when to come back. */
  get headers(): Record<string, string> {
    const headers: Record<string, string> = { 'cache-control': 'no-store' }
    if (this.status === 401) headers['www-authenticate'] = challenge(this.slug)
    if (this.retryAfter !== undefined) headers['retry-after'] = String(this.retryAfter)
    return headers
  }
}

function challenge(slug: Slug): string {
  if (!isAboutToken(slug)) return 'Bearer realm="auth"'
  return `Bearer realm="auth", error="invalid_token", error_description="${REFUSALS[slug].msg}"`
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

/** What stops a command or the start of the service. Its message is one readable line for the operator. */
export class OperatorError extends Error {}

/** Answers whatever was thrown in the platform's envelope. Only what is a {@link Refusal} speaks for itself. */
export function answerError(
  error: FastifyError | Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const refusal = asRefusal(error)
  if (refusal.slug === 'internal')
    request.log.error({ err: error, request_id: request.id }, 'unexpected error')
  reply.code(refusal.status).headers(refusal.headers).send(refusal.body)
}

/** Answers what is not HTTP, or stopped halfway, on the bare socket: there is no request to answer yet. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, headers, body } = new Refusal(CLIENT_ERRORS[error.code ?? ''] ?? 'invalid_request')
  const text = JSON.stringify(body)
  const lines = Object.entries({
    ...headers,
    connection: 'close',
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(text.length),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`)
}

/** Codes of Node's HTTP parser and timeouts. */
const CLIENT_ERRORS: Record<string, Slug> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

function asRefusal(error: FastifyError | Refusal): Refusal {
  if (error instanceof Refusal) return error
  const [broken] = error.validation ?? []
  if (broken) {
    // Ajv's message names the rule, and its path the field; neither repeats the value.
    const field = `${error.validationContext ?? 'request'}${broken.instancePath}`
    return new Refusal('invalid_request', { msg: `${field} ${broken.message}` })
  }
  if (error.statusCode === 503) return new Unavailable(error.code)
  if (error.statusCode === 400) return new Refusal('invalid_request')
  const slug = SLUGS.find((known) => REFUSALS[known].status === error.statusCode)
  return new Refusal(slug !== undefined && REFUSALS[slug].status < 500 ? slug : 'internal')
}

const SLUGS = Object.keys(REFUSALS) as Slug[]
