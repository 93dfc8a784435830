import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { ruleMessage } from '../refusals/messages.js'
import { Refusal, type Slug, Unavailable } from '../refusals/refusal.js'
import { closeLingering, isLingering } from './lingering-close.js'
import { preferredLanguage } from './preferred-language.js'
import { envelopeOf, headersOf, STATUS_OF } from './refusal-answer.js'
import { SAFE_HEADERS } from './safe-answer.js'

export type ErrorLog = Pick<FastifyBaseLogger, 'error'>

/**
 * Answers a thrown error in the platform's envelope and the caller's language. {@link asRefusal}
 * says what an error that is not a Refusal becomes.
 */
export function answerError(
  error: FastifyError | Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
  log: ErrorLog,
): void {
  const refusal = asRefusal(error)
  logUnexpected(refusal, error, request, log)
  const language = preferredLanguage(request.headers)
  reply
    .code(STATUS_OF[refusal.slug])
    .headers({ ...headersOf(refusal), 'content-language': language, vary: 'accept-language' })
    .send(envelopeOf(refusal, language))
}

/** The caller sees only `internal` for a bug: the log holds the error. */
export function logUnexpected({ slug }: Refusal, error: Error, { id }: FastifyRequest, log: ErrorLog): void {
  if (slug === 'internal') log.error({ err: error, request_id: id }, 'unexpected error')
}

/**
 * Answers input that is not HTTP, or an incomplete request, on the bare socket: there is no request
 * yet. The language is English, because no header has been read.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (isLingering(socket)) return
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const refusal = new Refusal(CLIENT_ERRORS[error.code ?? ''] ?? 'invalid_request')
  const status = STATUS_OF[refusal.slug]
  const text = JSON.stringify(envelopeOf(refusal, 'en'))
  const lines = Object.entries({
    ...SAFE_HEADERS,
    ...headersOf(refusal),
    'content-language': 'en',
    connection: 'close',
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(text.length),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  closeLingering(socket, `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`)
}

/** Error codes of Node's HTTP parser and of its timeouts. */
const CLIENT_ERRORS: Record<string, Slug> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Any thrown error as a Refusal. One that is not the request's fault becomes `internal`. */
export function asRefusal(error: FastifyError | Refusal): Refusal {
  if (error instanceof Refusal) return error
  const [broken] = error.validation ?? []
  if (broken) {
    const place = `${error.validationContext ?? 'request'}${broken.instancePath}`
    return new Refusal('invalid_request', { msg: ruleMessage(place, broken) })
  }
  if (error.statusCode === 503) return new Unavailable(error.code)
  if (error.statusCode === 400) return new Refusal('invalid_request')
  const slug = SLUGS.find((known) => STATUS_OF[known] === error.statusCode)
  return new Refusal(slug !== undefined && STATUS_OF[slug] < 500 ? slug : 'internal')
}

const SLUGS = Object.keys(STATUS_OF) as Slug[]
