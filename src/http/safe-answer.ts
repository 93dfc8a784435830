import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http'

/** Headers of every answer: browsers must not sniff its type, and must not send a Referer. */
export const SAFE_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }

/**
 * HSTS for a year, sent only over TLS (RFC 6797). Without includeSubDomains: hosts below this one
 * may belong to other services.
 */
const OVER_TLS_ONLY = { ...SAFE_HEADERS, 'strict-transport-security': 'max-age=31536000' }

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * A ServerResponse with these headers in every answer. Fastify's hooks would miss the requests that
 * Node refuses by itself.
 *
 * @param cameOverTls whether a request's caller speaks TLS to the proxy in front of this service.
 */
export function safeAnswer(cameOverTls: (request: IncomingMessage) => boolean): typeof ServerResponse {
  return class SafeAnswer<Request extends IncomingMessage> extends ServerResponse<Request> {
    override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
      const own = cameOverTls(this.req) ? OVER_TLS_ONLY : SAFE_HEADERS
      if (typeof reason === 'string') return super.writeHead(status, reason, added(own, headers))
      return super.writeHead(status, added(own, reason ?? headers))
    }
  }
}

/** Adds in place: a copy of the headers would cost more than adding to them. */
function added(own: Record<string, string>, headers: Headers = {}): Headers {
  if (Array.isArray(headers)) return [...headers, ...Object.entries(own).flat()]
  return Object.assign(headers, own)
}
