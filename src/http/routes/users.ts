import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { ActionLog } from '../../logs/action-log.js'
import type { Users } from '../../users/users.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { originOf } from '../origin.js'
import { closed, Mobile, NewPassword, Ok, ok, recordOf, UserRecord } from '../schemas.js'

interface Needs {
  users: Pick<Users, 'add'>
  actions: Pick<ActionLog, 'record'>
}

/** The demo account of embedded mode has the usual example. */
const NewMobile = Type.String({ ...Mobile, examples: ['+8613900139000'] })

const NewUser = closed({ mobile: NewMobile, password: NewPassword }, { title: 'NewUser' })

/** Only behind requireClient. */
export const addUser: FastifyPluginAsyncTypebox<Needs> = async (app, { users, actions }) => {
  const schema = {
    tags: ['users'],
    operationId: 'addUser',
    summary: 'Add a user',
    description:
      'The user can log in at once. After a 503, the user may have been added: then the next try gives ' +
      '409. `data` of every 409 holds the id of the user who has the number.',
    body: NewUser,
    response: {
      // Not 201: the platform's envelope has one code for success, and programs compare with it.
      200: Ok(UserRecord, 'The user is added.'),
      ...refusals(...OF_A_BODY, 'mobile_taken'),
    },
  } satisfies Documented

  app.post('/users', { schema }, async (request) => {
    const user = await users.add(request.body)
    actions.record('user_added', originOf(request), { user_id: user.userId, client: request.serviceClient })
    return ok(recordOf(user))
  })
}
