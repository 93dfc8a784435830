import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { TOKEN_SLUGS } from '../../refusals/refusal.js'
import type { Sessions } from '../../sessions/sessions.js'
import { Claims } from '../../tokens/tokens.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { closed, ExpiresAt, Ok, OneOf, ok, SAMPLE_TOKEN, UserId } from '../schemas.js'

interface Needs {
  sessions: Pick<Sessions, 'identify' | 'inspect'>
}

export const Question = closed({
  token: Type.String({
    description: 'The token that a user showed to the sibling service.',
    minLength: 1,
    examples: [SAMPLE_TOKEN],
  }),
  check: Type.Optional(
    OneOf(['session', 'signature'], {
      description:
        '`session` is the full check. `signature` looks at the token alone: it knows of no logout.',
      default: 'session',
    }),
  ),
})

export const Verdict = closed({ payload: Claims, user_id: UserId, expires_at: ExpiresAt })

export const verify: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions }) => {
  const schema = {
    tags: ['check'],
    operationId: 'verify',
    summary: 'Whether a token is genuine, in time, and still its user’s session',
    description:
      'For sibling services, about a token that they were handed. Reads both stores; never cache the answer.',
    body: Question,
    response: {
      200: Ok(Verdict, 'The token is live.'),
      ...refusals(...OF_A_BODY, ...TOKEN_SLUGS),
    },
  } satisfies Documented

  app.post('/verify', { schema }, async ({ body: { token, check } }) => {
    const { claims, session } =
      check === 'signature' ? sessions.inspect(token) : await sessions.identify(token)
    return ok({ payload: claims, user_id: session.userId, expires_at: session.expiresAt })
  })
}
