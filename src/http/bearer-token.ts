import type { IncomingMessage } from 'node:http'
import { Refusal } from '../refusals/refusal.js'
import { isRepeated } from './repeated-header.js'

/**
 * The OpenAPI security schemes of a token. Both carry the same token; `JWT` is the platform's older
 * spelling.
 */
export const SECURITY_SCHEMES = {
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
export const TOKEN_REQUIRED: Record<string, []>[] = [{ bearer: [] }, { jwt: [] }]

/** The scheme, and exactly one word after it. Node's HTTP parser has trimmed the value. */
const CREDENTIALS = /^(?:bearer|jwt) +([^\s,]+)$/i

/**
 * The token in the Authorization header (RFC 6750 §2.1), under the scheme Bearer or JWT. Two such
 * headers are refused: Node keeps the first, another server behind the same proxy may keep the
 * last. The status is 401, because some proxies turn a 400 of an auth sub-request into 500.
 *
 * @throws Refusal `token_missing` unless there is exactly one token.
 */
export function presentedToken({ headers, rawHeaders }: IncomingMessage): string {
  const token = CREDENTIALS.exec(headers.authorization ?? '')?.[1]
  if (token === undefined || isRepeated(rawHeaders, 'authorization')) throw new Refusal('token_missing')
  return token
}
