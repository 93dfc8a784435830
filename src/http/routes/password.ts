import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type ActionLog, originOf } from '../../logs/action-log.js'
import { NewPassword, requireHashable, requireStrong } from '../../passwords/passwords.js'
import { Refusal } from '../../refusals/refusal.js'
import type { Sessions } from '../../sessions/sessions.js'
import { networkOf } from '../client-address.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { closed, Done, done, Password } from '../schemas.js'

interface Needs {
  sessions: Pick<Sessions, 'changePassword'>
  actions: Pick<ActionLog, 'record'>
}

const PasswordChange = closed({ current: Password, new: NewPassword })

/** Only behind requireSession. */
export const password: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions, actions }) => {
  const schema = {
    tags: ['session'],
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
      if (error instanceof Refusal && error.status < 500) {
        actions.record('password_refused', origin, {
          ...facts,
          reason: error.reason ?? error.slug,
        })
      }
      throw error
    }
  })
}
