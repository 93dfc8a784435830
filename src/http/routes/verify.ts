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

export const Question = closed(
  {
    token: Type.String({
      description: 'The token that a user sent to the sibling service, as /login answered it.',
      minLength: 1,
      examples: [SAMPLE_TOKEN],
    }),
    check: Type.Optional(
      OneOf(['session', 'signature'], {
        description:
          '`session` is the full check. `signature` checks the token alone and does not see a logout.',
        default: 'session',
      }),
    ),
  },
  { title: 'Question' },
)

export const Verdict = closed(
  { payload: Claims, user_id: UserId, expires_at: ExpiresAt },
  { title: 'Verdict', description: 'What a token says.' },
)

export const verify: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions }) => {
  const schema = {
    tags: ['tokens'],
    operationId: 'verify',
    summary: 'Whether a token is genuine, unexpired and of a live session',
    description: 'For sibling services that were sent a token. Reads both stores; never cache the answer.',
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
