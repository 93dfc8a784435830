import type { IncomingMessage } from 'node:http'

/**
 * How a token is shown, for an OpenAPI document. Both are the same token; the second spelling is
 * the platform's older one.
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

/** Either of them, as the schema of a route says it for an OpenAPI document. */
export const TOKEN_REQUIRED = { security: [{ bearer: [] }, { jwt: [] }] }

/**
 * One word behind the scheme: without all space that the parser of HTTP lets into a value, and
 * without a comma.
 */
const CREDENTIALS = /^(?:bearer|jwt) +([^ ,\t\u00a0]+)$/i

/**
 * The one token of a request's Authorization header (RFC 6750 §2.1), under the scheme Bearer or
 * JWT; undefined where there is not exactly one. Node keeps the first of several Authorization
 * headers, another server behind the same proxy may keep the last: two are none.
 */
export function presentedToken({ headersDistinct }: IncomingMessage): string | undefined {
  const [value = '', ...others] = headersDistinct.authorization ?? []
  return others.length > 0 ? undefined : CREDENTIALS.exec(value)?.[1]
}
