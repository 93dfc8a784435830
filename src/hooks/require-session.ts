import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Refusal } from '../errors.js'
import { documentGuard, SHOWN_TOKEN } from '../openapi.js'
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
    documentGuard(route, SHOWN_TOKEN, [
      'token_missing',
      'token_invalid',
      'token_expired',
      'session_superseded',
      'session_ended',
      'user_disabled',
    ]),
  )
  scope.addHook('preHandler', (request, _reply, done) => {
    sessions.identify(presentedToken(request)).then((session) => {
      request.session = session
      done()
    }, done)
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
  const { headers, rawHeaders } = request.raw
  const token = CREDENTIALS.exec(headers.authorization ?? '')?.[1]
  if (token === undefined || isRepeated(rawHeaders)) throw new Refusal('token_missing')
  return token
}

/** Whether there are several Authorization headers, by the names and values as they came: Node's own list of them is slow. */
function isRepeated(rawHeaders: string[]): boolean {
  let found = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === NAME.length && name.toLowerCase() === NAME) found++
  }
  return found > 1
}

const NAME = 'authorization'
