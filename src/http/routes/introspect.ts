import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from '@sinclair/typebox'
import { isAboutToken, Refusal } from '../../refusals/refusal.js'
import type { Sessions } from '../../sessions/sessions.js'
import { Claims, SAMPLE_SESSION_ID, type VerifiedToken } from '../../tokens/tokens.js'
import { type Documented, OF_A_BODY, refusals } from '../openapi.js'
import { closed, TokenForm } from '../schemas.js'

interface Needs {
  sessions: Pick<Sessions, 'identify'>
}

const { iss, sub, jti, iat, exp, aud, data } = Claims.properties
const SessionId = Type.String({ description: 'The session id. A logout or a newer login ends the session.' })

const Active = closed(
  {
    active: Type.Literal(true),
    token_type: Type.Literal('Bearer'),
    ...{ sub, iss, iat, exp, jti, aud },
    sid: SessionId,
    // Oathkeeper reads members that RFC 7662 does not define only from `ext`.
    ext: closed({ ...data.properties, sid: SessionId }),
  },
  { title: 'ActiveToken', description: 'The token is live.' },
)

/** No other member: RFC 7662 §2.2 wants nothing else said about a token that is not live. */
const Inactive = closed(
  { active: Type.Literal(false) },
  { title: 'InactiveToken', description: 'The token is not live. No reason is given.' },
)

const INACTIVE = { active: false as const }

const EXAMPLE: Static<typeof Active> = {
  active: true,
  token_type: 'Bearer',
  sub: '1',
  iss: 'auth-service',
  iat: 1795363200,
  exp: 1795449600,
  jti: SAMPLE_SESSION_ID,
  sid: SAMPLE_SESSION_ID,
  ext: { id: 1, login_time: 1795363200000, sid: SAMPLE_SESSION_ID },
}

export const Introspection = Type.Union([Active, Inactive], {
  title: 'Introspection',
  description: 'What is known about the token.',
  examples: [EXAMPLE, INACTIVE],
})

/** RFC 7662. Only behind requireClient, in an oauthEndpoint scope. */
export const introspect: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions }) => {
  const schema = {
    tags: ['introspection'],
    operationId: 'introspect',
    summary: 'Whether a token is live, in the form of RFC 7662',
    description:
      'For gateways that speak RFC 7662. The same check as /identify and /verify: reads both stores; ' +
      'never cache the answer. An outage is a 503, never an inactive token.',
    consumes: ['application/x-www-form-urlencoded'],
    body: TokenForm,
    response: {
      200: Introspection,
      ...refusals(...OF_A_BODY),
    },
  } satisfies Documented

  app.post('/introspect', { schema }, async ({ body: { token } }) => {
    const live = await sessions.identify(token).catch(asAbsent)
    return live ? active(live) : INACTIVE
  })
}

/** Lists the members: spreading the claims is slower than the rest of the answer. */
function active({ claims: { sub, iss, iat, exp, jti, aud, data } }: VerifiedToken) {
  const ext = { id: data.id, login_time: data.login_time, sid: jti }
  const known = {
    active: true as const,
    token_type: 'Bearer' as const,
    sub,
    iss,
    iat,
    exp,
    jti,
    sid: jti,
    ext,
  }
  return aud === undefined ? known : { ...known, aud }
}

/** A refused token is an inactive token. An outage is an error. */
function asAbsent(error: unknown): undefined {
  if (!(error instanceof Refusal) || !isAboutToken(error.slug)) throw error
}
