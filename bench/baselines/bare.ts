/**
 * The baseline of the checks: routes that answer the same, with the same schemas, and check
 * nothing. Listens on PORT until it is killed.
 */
import formbody from '@fastify/formbody'
import Fastify from 'fastify'
import { Identity } from '../../src/http/routes/identify.js'
import { Introspection } from '../../src/http/routes/introspect.js'
import { Question, Verdict } from '../../src/http/routes/verify.js'
import { Ok, ok, TokenForm } from '../../src/http/schemas.js'

const [expiresAt, loginTime] = [1795449600, 1795363200000]
const identity = { user_id: 1, login_time: loginTime, expires_at: expiresAt }
const verdict = {
  payload: {
    iss: 'auth-service',
    sub: '1',
    jti: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    iat: 1795363200,
    exp: expiresAt,
    data: { id: 1, login_time: loginTime },
  },
  user_id: 1,
  expires_at: expiresAt,
}

const { data, ...claims } = verdict.payload
const sid = claims.jti
const introspection = { active: true, token_type: 'Bearer', ...claims, sid, ext: { ...data, sid } } as const

const app = Fastify()
await app.register(formbody)
app.get('/identify', { schema: { response: { 200: Ok(Identity, '') } } }, async () => ok(identity))
app.post('/verify', { schema: { body: Question, response: { 200: Ok(Verdict, '') } } }, async () =>
  ok(verdict),
)
app.post(
  '/introspect',
  { schema: { body: TokenForm, response: { 200: Introspection } } },
  async () => introspection,
)
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
