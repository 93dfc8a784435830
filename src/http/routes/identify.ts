import { METHODS } from 'node:http'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Documented, refusals } from '../openapi.js'
import { closed, ExpiresAt, NoBody, Ok, OneOf, ok, UserId } from '../schemas.js'

export const Identity = closed(
  {
    user_id: UserId,
    login_time: Type.Integer({
      description: 'The stamp of the login, in milliseconds since the epoch.',
      examples: [1795363200000],
    }),
    expires_at: ExpiresAt,
  },
  { title: 'Identity', description: 'Whose request it is, and by which session.' },
)

const IDENTITY_HEADERS = {
  'X-User-Id': Type.String({ description: 'The user id.' }),
  'X-Session-Id': Type.String({ description: 'The session id.' }),
}

/**
 * Only behind requireSession. Every method and every sub-path gives the same answer, because a
 * proxy's auth sub-request may keep those of the original request.
 */
export const identify: FastifyPluginAsyncTypebox = async (app) => {
  const schema = {
    tags: ['tokens'],
    operationId: 'identify',
    summary: 'Who is making this request',
    description:
      'Every other method and every path below /identify gives the same answer, and no body is read: ' +
      'the auth sub-request of any proxy works unchanged. Reads both stores; never cache the answer.',
    response: {
      200: { ...Ok(Identity, 'The token is live.'), headers: IDENTITY_HEADERS },
      204: {
        ...NoBody('The same in headers only, after `Prefer: return=minimal` (RFC 7240).'),
        headers: { ...IDENTITY_HEADERS, 'Preference-Applied': OneOf(['return=minimal']) },
      },
      ...refusals(),
    },
  } satisfies Documented

  const hidden = { hide: true, response: schema.response }
  const others = methods(app).filter((method) => method !== 'GET')
  app.get('/identify', { schema, exposeHeadRoute: false }, answer)
  app.route({ method: others, url: '/identify', schema: hidden, handler: answer })
}

function answer({ session, headers }: FastifyRequest, reply: FastifyReply) {
  reply.header('x-user-id', String(session.userId)).header('x-session-id', session.sessionId)
  // A proxy that does not read the answer's body must close the connection: 204 keeps it alive.
  if (headers.prefer !== undefined && MINIMAL.test(String(headers.prefer))) {
    reply.code(204).header('preference-applied', 'return=minimal').send()
    return
  }
  const { userId, loginTime, expiresAt } = session
  return ok({ user_id: userId, login_time: loginTime, expires_at: expiresAt })
}

/** The preference of RFC 7240 §4.2, anywhere in a list of preferences. */
const MINIMAL = /\breturn="?minimal\b/i

/**
 * Maps every path below /identify to /identify before routing: the router would refuse a malformed
 * %-escape.
 */
export function withoutSubPath(url: string): string {
  return BELOW_IDENTIFY.test(url) ? '/identify' : url
}

/** In origin form, or in the absolute form that a proxy may send (RFC 9112 §3.2.2). */
const BELOW_IDENTIFY = /^(?:https?:\/\/[^/]*)?\/identify\//

/** Every method that Node parses, except TRACE (ASVS 13.4.4) and CONNECT, which opens a tunnel. */
function methods(app: FastifyInstance): string[] {
  const answered = METHODS.filter((method) => method !== 'TRACE' && method !== 'CONNECT')
  const added = answered.filter((method) => !app.supportedMethods.includes(method) || method === 'QUERY')
  // `hasBody: false`, because Fastify would require a content type of a QUERY.
  for (const method of added) app.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  return answered
}
