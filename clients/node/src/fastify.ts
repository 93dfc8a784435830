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
    /** Whose request this is. Only there behind requireSession. */
    session: Session
  }
}

/** What is answered instead of the route's own answer. `retryAfter` in seconds. */
interface Refusal {
  status: 401 | 503
  error: keyof typeof MESSAGES
  retryAfter?: number
}

/**
 * The service's own preHandler, for a sibling: routes in the scope where this is registered run
 * only for the holder of a live session, which is then `request.session`. Everybody else gets the
 * very answer that the service would give: 401 with the reason (RFC 6750 §3), or 503 when nobody
 * knows.
 *
 * The routes also say so to @fastify/swagger; give it {@link securitySchemes} as
 * `components.securitySchemes`.
 *
 * @throws TypeError, from `register`, when an option makes no sense.
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

// Fastify's mark of a plugin that works on the very scope where it is registered.
Object.assign(requireSession, { [Symbol.for('skip-override')]: true })

/** Answers here, and not in the sibling's error handler, whose answers may have another form. */
function refuse({ status, error, retryAfter }: Refusal, request: FastifyRequest, reply: FastifyReply) {
  const language = preferredLanguage(request.headers['accept-language'])
  reply.headers({
    'cache-control': 'no-store',
    ...(status === 401 && { 'www-authenticate': challenge(error) }),
    ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    'content-language': language,
    vary: 'accept-language',
  })
  // As it is: a schema of the sibling's for this status could leave out half of it.
  reply.type('application/json; charset=utf-8').serializer(JSON.stringify)
  return reply.code(status).send({ code: status, error, msg: MESSAGES[error][language] })
}

/** RFC 6750 §3. English whatever the caller reads: only ASCII may be here. */
function challenge(error: Refusal['error']): string {
  if (error === 'token_missing') return 'Bearer realm="auth"'
  return `Bearer realm="auth", error="invalid_token", error_description="${MESSAGES[error].en}"`
}
