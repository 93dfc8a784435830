import { METHODS } from 'node:http'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Documented, refusals } from '../openapi.js'
import { closed, ExpiresAt, NoBody, Ok, OneOf, ok, UserId } from '../schemas.js'

export const Identity = closed({
  user_id: UserId,
  login_time: Type.Integer({
    description: 'The stamp of the login, in milliseconds since the epoch.',
    examples: [1795363200000],
  }),
  expires_at: ExpiresAt,
})

export const Identified = Ok(Identity, 'The token is live.')

const IDENTITY_HEADERS = {
  'X-User-Id': Type.String({ description: 'The user id.' }),
  'X-Session-Id': Type.String({ description: 'The session id.' }),
}

/** Answers only behind requireSession. Every method and sub-path gives the same answer, for proxies' sub-requests. */
export const identify: FastifyPluginAsyncTypebox = async (app) => {
  const schema = {
    tags: ['check'],
    operationId: 'identify',
    summary: 'Who is making this request',
    description:
      'Answers every other method and any path below /identify in the same way and never reads a body, so that ' +
      'the auth sub-request of any proxy works unchanged. Reads both stores; never cache the answer.',
    response: {
      200: { ...Identified, headers: IDENTITY_HEADERS },
      204: {
        ...NoBody('The same for who asks with `Prefer: return=minimal` (RFC 7240): headers only.'),
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
  // A proxy that leaves the body of an answer unread has to close the connection that it came on.
  if (headers.prefer !== undefined && MINIMAL.test(String(headers.prefer))) {
    reply.code(204).header('preference-applied', 'return=minimal').send()
    return
  }
  return identityOf(session)
}

export function identityOf({ userId, loginTime, expiresAt }: FastifyRequest['session']) {
  return ok({ user_id: userId, login_time: loginTime, expires_at: expiresAt })
}

/** The preference of RFC 7240 §4.2, in a list of them. */
const MINIMAL = /\breturn="?minimal\b/i

/** Every path below /identify is /identify, however it is spelled: the router would refuse a broken %-sequence. */
export function withoutSubPath(url: string): string {
  return BELOW_IDENTIFY.test(url) ? '/identify' : url
}

/** In origin form, or in the absolute form in which a proxy may send it (RFC 9112 §3.2.2). */
const BELOW_IDENTIFY = /^(?:https?:\/\/[^/]*)?\/identify\//

/** Every method that Node parses, but TRACE, which nobody should answer (ASVS 13.4.4), and CONNECT, which is no request. */
function methods(app: FastifyInstance): string[] {
  const answered = METHODS.filter((method) => method !== 'TRACE' && method !== 'CONNECT')
  const added = answered.filter((method) => !app.supportedMethods.includes(method) || method === 'QUERY')
  // Without a body as far as Fastify is concerned: it would insist on the content type of a QUERY.
  for (const method of added) app.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  return answered
}
