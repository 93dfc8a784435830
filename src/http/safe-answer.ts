import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http'

/**
 * What every answer tells a browser: to take it for nothing but what it says it is, and to tell
 * nobody this address.
 */
export const SAFE_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }

/**
 * Whoever came over TLS does so for a year (RFC 6797). Other names below the host are not this
 * service's business.
 */
const OVER_TLS_ONLY = { ...SAFE_HEADERS, 'strict-transport-security': 'max-age=31536000' }

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * The answers of a server, with these headers in each: what Node refuses by itself never reaches
 * Fastify and its hooks.
 *
 * @param cameOverTls whether the client of a request speaks TLS to whoever stands before this
 *   service.
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

/** Added in place: a copy for every answer would cost more than the headers. */
function added(own: Record<string, string>, headers: Headers = {}): Headers {
  if (Array.isArray(headers)) return [...headers, ...Object.entries(own).flat()]
  return Object.assign(headers, own)
}
