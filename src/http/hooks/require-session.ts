import fp from 'fastify-plugin'
import { TOKEN_SLUGS } from '../../refusals/refusal.js'
import type { Session } from '../../sessions/session.js'
import type { Sessions } from '../../sessions/sessions.js'
import { presentedToken, TOKEN_REQUIRED } from '../bearer-token.js'
import { documentGuard } from '../openapi.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The session of the request's token. Set only behind requireSession. */
    session: Session
  }
}

interface Needs {
  sessions: Pick<Sessions, 'identify'>
}

/**
 * The check of Redis and PostgreSQL as one preHandler: routes in this scope run only for the holder
 * of a live session. Documents that in the OpenAPI document.
 */
export const requireSession = fp<Needs>(async (scope, { sessions }) => {
  scope.decorateRequest('session')
  scope.addHook('onRoute', (route) => documentGuard(route, TOKEN_REQUIRED, ['token_missing', ...TOKEN_SLUGS]))
  scope.addHook('preHandler', (request, _reply, done) => {
    sessions.identify(presentedToken(request.raw)).then(({ session }) => {
      request.session = session
      done()
    }, done)
  })
})
