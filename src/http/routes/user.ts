import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ActionLog } from '../../logs/action-log.js'
import type { Users } from '../../users/users.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { originOf } from '../origin.js'
import { closed, Ok, ok, recordOf, UserPath, UserRecord, UserStatus } from '../schemas.js'

interface Needs {
  users: Pick<Users, 'find' | 'enable' | 'disable'>
  actions: Pick<ActionLog, 'record'>
}

/** The function that sets a status, and its event in the action log. */
const CHANGES = {
  active: { change: 'enable', event: 'user_enabled' },
  disabled: { change: 'disable', event: 'user_disabled' },
} as const

/** Only behind requireClient, with numericId. */
export const user: FastifyPluginAsyncTypebox<Needs> = async (app, { users, actions }) => {
  const found = {
    tags: ['users'],
    operationId: 'findUser',
    summary: 'Read a user',
    description: 'By the user id, as the answer to /login or to adding the user gave it.',
    params: UserPath,
    response: { 200: Ok(UserRecord, 'The user.'), ...refusals('invalid_request', 'not_found') },
  } satisfies Documented

  const changed = {
    tags: ['users'],
    operationId: 'setUserStatus',
    summary: 'Disable or enable a user',
    description:
      'Disabling ends the session at once, everywhere, and refuses every login. Enabling lets the user ' +
      'log in again; a session that has ended stays ended. Setting the same status again succeeds. ' +
      'After a 503, try again: the status may or may not have been set.',
    params: UserPath,
    body: closed({ status: UserStatus }, { title: 'UserChange' }),
    response: {
      200: Ok(UserRecord, 'The user after the change.'),
      ...refusals(...OF_A_BODY, 'not_found'),
    },
  } satisfies Documented

  app.get('/users/:id', { schema: found }, async ({ params }) =>
    ok(recordOf(await users.find({ userId: params.id }))),
  )

  app.patch('/users/:id', { schema: changed }, async (request) => {
    const { change, event } = CHANGES[request.body.status]
    const user = await users[change]({ userId: request.params.id })
    actions.record(event, originOf(request), { user_id: user.userId, client: request.serviceClient })
    return ok(recordOf(user))
  })
}
