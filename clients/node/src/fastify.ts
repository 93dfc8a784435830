import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { presentedToken, TOKEN_REQUIRED } from './bearer-token.js'
import { MESSAGES } from './messages.js'
import { preferredLanguage } from './preferred-language.js'
import { ServiceUnavailable, TokenRefused } from './refusals.js'
import type { Session } from './verdict.js'
import { createVerifier, type VerifierOptions } from './verifier.js'

export { securitySchemes } from './bearer-token.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The session of the request's token. Set only behind requireSession. */
    session: Session
  }
}

/** The answer that replaces the route's own. `retryAfter` in seconds. */
interface Refusal {
  status: 401 | 503
  error: keyof typeof MESSAGES
  retryAfter?: number
}

/**
 * The service's preHandler for a sibling service. Routes in the scope where it is registered run
 * only for the holder of a live session, and find it in `request.session`. Every other caller gets
 * the same answer as from the service: 401 with the reason (RFC 6750 §3), or 503 if the service
 * cannot be asked.
 *
 * Documents this on the routes for @fastify/swagger, which needs {@link securitySchemes} as
 * `components.securitySchemes`.
 *
 * @throws TypeError from `register` for an invalid option.
 */
export const requireSession: FastifyPluginAsync<VerifierOptions> = async (scope, options) => {
  const { verify, close } = createVerifier(options)
  scope.addHook('onClose', async () => close())
  scope.decorateRequest('session')
  scope.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, ...TOKEN_REQUIRED }
  })
  scope.addHook('preHandler', async (request, reply) => {
    const token = presentedToken(request.raw)
    if (token === undefined) return refuse({ status: 401, error: 'token_missing' }, request, reply)
    try {
      request.session = await verify(token)
    } catch (error) {
      if (error instanceof TokenRefused) return refuse(error, request, reply)
      if (!(error instanceof ServiceUnavailable)) throw error
      request.log.warn({ reason: error.reason }, 'session not checked')
      return refuse(error, request, reply)
    }
  })
}

// As fastify-plugin does: the hooks apply to the scope that registers the plugin.
Object.assign(requireSession, { [Symbol.for('skip-override')]: true })

/** Answers without the sibling's error handler, which may use another form. */
function refuse({ status, error, retryAfter }: Refusal, request: FastifyRequest, reply: FastifyReply) {
  const language = preferredLanguage(request.headers['accept-language'])
  reply.headers({
    'cache-control': 'no-store',
    ...(status === 401 && { 'www-authenticate': challenge(error) }),
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    'content-language': language,
    vary: 'accept-language',
  })
  // A response schema of the sibling for this status could drop members.
  reply.type('application/json; charset=utf-8').serializer(JSON.stringify)
  return reply.code(status).send({ code: status, error, msg: MESSAGES[error][language] })
}

/** RFC 6750 §3. Always English: the header may hold only ASCII. */
function challenge(error: Refusal['error']): string {
  if (error === 'token_missing') return 'Bearer realm="auth"'
  return `Bearer realm="auth", error="invalid_token", error_description="${MESSAGES[error].en}"`
}
