import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ServiceUnavailable } from './client/refusals.js'
import { createVerifier, type VerifierOptions } from './client/verifier.js'
import { presentedToken, TOKEN_REQUIRED } from './http/bearer-token.js'
import { answerError } from './http/error-answers.js'
import type {} from './http/hooks/require-session.js'
import type { Refusal } from './refusals/refusal.js'

export { ServiceUnavailable, TokenRefused } from './client/refusals.js'
export { createVerifier, type Verifier, type VerifierOptions } from './client/verifier.js'
export { SECURITY_SCHEMES as securitySchemes } from './http/bearer-token.js'
export type { Session } from './sessions/session.js'

/**
 * The service's own preHandler, for a sibling: routes in the scope where this is registered run only for the holder of a
 * live session, which is then `request.session`. Everybody else gets the very answer that the service would give: 401 with
 * the reason, or 503 when nobody knows.
 *
 * The routes also say so to @fastify/swagger; give it {@link securitySchemes} as `components.securitySchemes`.
 */
export const requireSession = fp<VerifierOptions>(
  async (scope, options) => {
    const { verify, close } = createVerifier(options)
    scope.addHook('onClose', async () => close())
    scope.decorateRequest('session')
    scope.addHook('onRoute', (route) => {
      route.schema = { ...route.schema, security: TOKEN_REQUIRED }
    })
    scope.addHook('preHandler', async (request, reply) => {
      try {
        request.session = await verify(presentedToken(request.raw))
      } catch (error) {
        return refuse(error as Error, request, reply)
      }
    })
  },
  { name: 'auth-service/client', fastify: '5.x' },
)

/** Answers here, and not in the sibling's error handler, whose answers may have another form. */
function refuse(error: Refusal | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof ServiceUnavailable) {
    request.log.warn({ reason: error.reason }, 'session not checked')
  }
  // As it is: a schema of the sibling's for this status could leave out half of it.
  reply.type('application/json; charset=utf-8').serializer(JSON.stringify)
  answerError(error as Refusal, request, reply, request.log)
  return reply
}
