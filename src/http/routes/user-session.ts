import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ActionLog } from '../../logs/action-log.js'
import type { Users } from '../../users/users.js'
import { type Documented, refusals } from '../openapi.js'
import { originOf } from '../origin.js'
import { Done, done, UserPath } from '../schemas.js'

interface Needs {
  users: Pick<Users, 'endSession'>
  actions: Pick<ActionLog, 'record'>
}

/**
 * Only behind requireClient, with numericId and ignoreBody: some HTTP libraries send body headers
 * with a DELETE.
 */
export const userSession: FastifyPluginAsyncTypebox<Needs> = async (app, { users, actions }) => {
  const schema = {
    tags: ['users'],
    operationId: 'endUserSession',
    summary: 'End a user’s session',
    description:
      'Ends whichever session the user has, and succeeds without one too. The account does not change, ' +
      'and the user may log in again. After a 503, assume that the session is still live, and try again.',
    params: UserPath,
    response: {
      200: Done('The session has ended, if there was one.'),
      ...refusals('invalid_request', 'not_found'),
    },
  } satisfies Documented

  app.delete('/users/:id/session', { schema }, async (request) => {
    const { userId } = await users.endSession({ userId: request.params.id })
    actions.record('session_ended', originOf(request), { user_id: userId, client: request.serviceClient })
    return done()
  })
}
