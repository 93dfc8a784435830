import type { IncomingMessage } from 'node:http'
import { Refusal } from '../refusals/refusal.js'
import { isRepeated } from './repeated-header.js'

/** How a token is shown, for an OpenAPI document. Both are the same token; the second spelling is the platform's older one. */
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

/** Either of them, as a route in the scope of a guard asks for it. */
export const TOKEN_REQUIRED: Record<string, []>[] = [{ bearer: [] }, { jwt: [] }]

const SCHEME = /^(?:bearer|jwt) +/i

/** As nearly everyone spells it, which is cheaper to see than to match. */
const USUAL = 'Bearer '

/** All space that the parser of HTTP lets into a value, and what stands between two of them. */
const SEPARATORS = [' ', ',', '\t', '\u00a0']

/**
 * The one token of a request's Authorization header (RFC 6750 §2.1), under the scheme Bearer or JWT. Node keeps
 * the first of several Authorization headers, another server behind the same proxy may keep the last: two are
 * refused, with 401 because some proxies turn any other refusal of theirs into 500.
 *
 * @throws Refusal `token_missing`
 */
export function presentedToken({ headers, rawHeaders }: IncomingMessage): string {
  const token = credentials(headers.authorization ?? '')
  if (token === undefined || isRepeated(rawHeaders, 'authorization')) throw new Refusal('token_missing')
  return token
}

/** What follows the scheme, where that is one word. The parser of HTTP has taken the space around the value. */
function credentials(value: string): string | undefined {
  const start =
    value.startsWith(USUAL) && value[USUAL.length] !== ' ' ? USUAL.length : SCHEME.exec(value)?.[0].length
  if (start === undefined) return undefined
  const token = value.slice(start)
  return token === '' || SEPARATORS.some((separator) => token.includes(separator)) ? undefined : token
}
