import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { networkOf } from '../../addresses/network.js'
import type { ActionLog } from '../../logs/action-log.js'
import { requireHashable, requireStrong } from '../../passwords/password-length.js'
import type { Sessions } from '../../sessions/sessions.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { originOf } from '../origin.js'
import { recordRefusal } from '../refused-action.js'
import { closed, Done, done, NewPassword, Password } from '../schemas.js'

interface Needs {
  sessions: Pick<Sessions, 'changePassword'>
  actions: Pick<ActionLog, 'record'>
}

const PasswordChange = closed({ current: Password, new: NewPassword }, { title: 'PasswordChange' })

const EVENTS = { refused: 'password_refused', throttled: 'password_refused' } as const

/** Only behind requireSession. */
export const password: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions, actions }) => {
  const schema = {
    tags: ['sessions'],
    operationId: 'changePassword',
    summary: 'Set a new password and end this session',
    description:
      'Asks for the current password again: a stolen token alone must not be able to take over an account.',
    body: PasswordChange,
    response: {
      200: Done('The password is changed. Log in with it.'),
      ...refusals(...OF_A_BODY, 'invalid_credentials', 'too_many_attempts'),
    },
  } satisfies Documented

  app.post('/password', { schema }, async (request) => {
    const { session, body } = request
    const { current, new: wanted } = body
    requireHashable(current, 'current')
    requireStrong(wanted, 'new')
    const origin = originOf(request)
    const network = networkOf(origin.ip)
    const facts = { user_id: session.userId }

    try {
      await sessions.changePassword(session, { current, wanted, network })
      actions.record('password_changed', origin, facts)
      return done()
    } catch (error) {
      recordRefusal(actions, EVENTS, error, origin, facts)
      throw error
    }
  })
}
