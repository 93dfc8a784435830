import type { IncomingMessage } from 'node:http'

/**
 * The OpenAPI security schemes of a token, for `components.securitySchemes`. Both carry the same
 * token; `JWT` is the platform's older spelling.
 */
export const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The token from /login, as `Authorization: Bearer <token>`.',
  },
  jwt: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'The same token as `Authorization: JWT <token>`: type `JWT `, then the token.',
  },
} as const

/** The OpenAPI `security` of a route that needs a token: either scheme. */
export const TOKEN_REQUIRED = { security: [{ bearer: [] }, { jwt: [] }] }

/** A single word after the scheme: no comma, and no space that Node's HTTP parser allows. */
const CREDENTIALS = /^(?:bearer|jwt) +([^ ,\t\u00a0]+)$/i

/**
 * The token in a request's Authorization header (RFC 6750 §2.1), under the scheme Bearer or JWT.
 * Undefined unless there is exactly one. Two such headers count as none: Node keeps the first,
 * another server behind the same proxy may keep the last.
 */
export function presentedToken({ headersDistinct }: IncomingMessage): string | undefined {
  const [value = '', ...others] = headersDistinct.authorization ?? []
  return others.length > 0 ? undefined : CREDENTIALS.exec(value)?.[1]
}
