import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { CountryCode } from 'libphonenumber-js/max'
import { networkOf } from '../../addresses/network.js'
import type { ActionLog } from '../../logs/action-log.js'
import { requireHashable } from '../../passwords/password-length.js'
import type { Sessions } from '../../sessions/sessions.js'
import { canonicalMobile, maskedMobile } from '../../users/mobiles.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { originOf } from '../origin.js'
import { recordRefusal } from '../refused-action.js'
import { closed, Mobile, Ok, ok, Password, SAMPLE_TOKEN, UserId } from '../schemas.js'

interface Needs {
  sessions: Pick<Sessions, 'begin'>
  actions: Pick<ActionLog, 'record'>
  region: CountryCode
}

const Credentials = closed({ mobile: Mobile, password: Password }, { title: 'Credentials' })

const Grant = closed(
  {
    token: Type.String({ description: 'The JWT to send with every request.', examples: [SAMPLE_TOKEN] }),
    token_type: Type.Literal('Bearer'),
    user_id: UserId,
    expires_in: Type.Integer({ description: 'Seconds until the token expires.', examples: [86400] }),
  },
  { title: 'Grant', description: 'The token of a new session.' },
)

const EVENTS = { refused: 'login_refused', throttled: 'login_throttled' } as const

export const login: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions, actions, region }) => {
  const schema = {
    tags: ['sessions'],
    operationId: 'login',
    summary: 'Exchange a mobile number and password for a token',
    description:
      'Ends the earlier session of this user, on every device. The mobile number of the example is that ' +
      'of the demo account in embedded mode. Its password is random: the service prints it on standard ' +
      'output at its first start.',
    body: Credentials,
    response: {
      200: Ok(Grant, 'Logged in.'),
      ...refusals(...OF_A_BODY, 'invalid_credentials', 'too_many_attempts'),
    },
  } satisfies Documented

  app.post('/login', { schema }, async (request) => {
    const { password } = request.body
    const mobile = canonicalMobile(request.body.mobile, region)
    requireHashable(password, 'password')
    const origin = originOf(request)

    try {
      const grant = await sessions.begin({ mobile, password, network: networkOf(origin.ip) })
      const { token, userId, supersededSessionId, expiresIn } = grant
      if (supersededSessionId) actions.record('session_superseded', origin, { user_id: userId })
      actions.record('login', origin, { user_id: userId })
      return ok({ token, token_type: 'Bearer' as const, user_id: userId, expires_in: expiresIn })
    } catch (error) {
      recordRefusal(actions, EVENTS, error, origin, { mobile: maskedMobile(mobile) })
      throw error
    }
  })
}
