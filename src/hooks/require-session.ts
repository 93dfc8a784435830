import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Refusal } from '../errors.js'
import { documentGuard } from '../openapi.js'
import type { Session, Sessions } from '../services/sessions.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose request this is. Only there behind requireSession. */
    session: Session
  }
}

interface Needs {
  sessions: Pick<Sessions, 'identify'>
}

/**
 * The check of Redis and PostgreSQL as one preHandler: routes in the scope where this is registered run only for
 * the holder of a live session, and say so in the OpenAPI document.
 */
export const requireSession = fp<Needs>(async (scope, { sessions }) => {
  scope.decorateRequest('session')
  scope.addHook('onRoute', (route) =>
    documentGuard(route, [
      'token_missing',
      'token_invalid',
      'token_expired',
      'session_superseded',
      'session_ended',
      'user_disabled',
    ]),
  )
  scope.addHook('preHandler', async (request) => {
    request.session = await sessions.identify(presentedToken(request))
  })
})

const CREDENTIALS = /^(?:bearer|jwt) +([^\s,]+) *$/i

/**
 * The one token of a request's Authorization header (RFC 6750 §2.1), under the scheme Bearer or JWT. Node keeps
 * the first of several Authorization headers, another server behind the same proxy may keep the last: two are
 * refused, with 401 because some proxies turn any other refusal of theirs into 500.
 *
 * @throws Refusal `token_missing`
 */
export function presentedToken(request: FastifyRequest): string {
  const [only, ...others] = request.raw.headersDistinct.authorization ?? []
  const token = others.length === 0 ? CREDENTIALS.exec(only ?? '')?.[1] : undefined
  if (token === undefined) throw new Refusal('token_missing')
  return token
}
