import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ActionLog } from '../../logs/action-log.js'
import { Refusal } from '../../refusals/refusal.js'
import type { Sessions } from '../../sessions/sessions.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { originOf } from '../origin.js'
import { NoBody, TokenForm } from '../schemas.js'

interface Needs {
  sessions: Pick<Sessions, 'end'>
  actions: Pick<ActionLog, 'record'>
}

/** RFC 7009. Only behind requireClient, in an oauthEndpoint scope. */
export const revoke: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions, actions }) => {
  const schema = {
    tags: ['introspection'],
    operationId: 'revoke',
    summary: 'End the session of a token, in the form of RFC 7009',
    description:
      'Ends the session of this token, and never a newer one. A token that is not live, or no token of ' +
      'this service, gives 200 too. After a 503, assume that the session is still live, and try again.',
    consumes: ['application/x-www-form-urlencoded'],
    body: TokenForm,
    response: {
      200: NoBody('The token is no longer live. The body is empty.'),
      ...refusals(...OF_A_BODY),
    },
  } satisfies Documented

  app.post('/revoke', { schema }, async (request, reply) => {
    const { userId } = (await sessions.end(request.body.token).catch(asAbsent)) ?? {}
    if (userId !== undefined) {
      actions.record('session_revoked', originOf(request), { user_id: userId, client: request.serviceClient })
    }
    return reply.send(undefined)
  })
}

/** An invalid token has no session to end: that is a success (RFC 7009 §2.2). */
function asAbsent(error: unknown): undefined {
  if (!(error instanceof Refusal) || error.slug !== 'token_invalid') throw error
}
