import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ActionLog } from '../../logs/action-log.js'
import type { Users } from '../../users/users.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { originOf } from '../origin.js'
import { closed, Done, done, NewPassword, UserPath } from '../schemas.js'

interface Needs {
  users: Pick<Users, 'setPassword'>
  actions: Pick<ActionLog, 'record'>
}

/** Only behind requireClient, with numericId. */
export const userPassword: FastifyPluginAsyncTypebox<Needs> = async (app, { users, actions }) => {
  const schema = {
    tags: ['users'],
    operationId: 'setUserPassword',
    summary: 'Set a user’s password and end the session',
    description:
      'Does not ask for the current password: for sibling services that have identified the user in ' +
      'another way. After a 503, try again: the password may or may not have been set.',
    params: UserPath,
    body: closed({ password: NewPassword }, { title: 'PasswordReset' }),
    response: {
      200: Done('The password is set, and the session has ended.'),
      ...refusals(...OF_A_BODY, 'not_found'),
    },
  } satisfies Documented

  app.put('/users/:id/password', { schema }, async (request) => {
    const { userId } = await users.setPassword({ userId: request.params.id }, request.body.password)
    actions.record('password_changed', originOf(request), { user_id: userId, client: request.serviceClient })
    return done()
  })
}
