import assert from 'node:assert'
import { requireSession, securitySchemes } from '@auth-service/client/fastify'
import fastifySwagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { build, claimsOf, type Service, send } from '../helper.js'
import { flawsOf } from '../support/envelope.js'
import { exchange, request } from '../support/raw-http.js'
import { until } from '../support/servers.js'
import { watchTraffic } from '../support/stand-in.js'

const OTHER = '+8613800138001'

t.test('a sibling service whose routes are behind requireSession', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const { url } = await sibling(t, service)
  const mine = (token: string) => send(url, 'GET', '/mine', { token })

  t.test('200 with the session of the request', async (t) => {
    const token = await service.login()
    const { jti, exp, data } = claimsOf(token)

    const { status, body } = await mine(token)

    t.equal(status, 200)
    t.strictSame(body, { userId, sessionId: jti, loginTime: data.login_time, expiresAt: exp })
  })

  t.test('200 for both schemes, in any case, and for every method', async (t) => {
    const token = await service.login()
    for (const scheme of ['Bearer', 'bearer', 'JWT', 'jwt']) {
      for (const method of ['GET', 'POST']) {
        const headers = { authorization: `${scheme} ${token}` }
        t.equal((await send(url, method, '/mine', { headers })).status, 200, `${method} ${scheme}`)
      }
    }
  })

  t.test('401 for a token in a trailer', async (t) => {
    const headers = ['Connection: close', 'Content-Type: text/plain', 'Transfer-Encoding: chunked']
    const body = `1\r\nx\r\n0\r\nAuthorization: Bearer ${await service.login()}\r\n\r\n`

    for (const [asked, path] of [
      [url, '/mine'],
      [service.url, '/identify'],
    ] as const) {
      const { answers } = await exchange(asked, request('POST', path, headers, body))
      t.match(answers, [{ status: 401, text: /"token_missing"/ }], path)
    }
  })

  t.test('401 with the body and the headers of /identify', async (t) => {
    await service.addUser({ mobile: OTHER })
    const ended = await service.login({ mobile: OTHER })
    await service.logout(ended)
    const superseded = await service.login()
    await service.login()
    const tokens = [superseded, ended, `${ended.slice(0, -8)}AAAAAAAA`, 'x.y.z', 'a"b', 'x'.repeat(5000)]
    const headers = [
      {},
      { authorization: '' },
      { authorization: ended },
      { authorization: `Basic ${ended}` },
      { authorization: `Bearer ${ended} ${ended}` },
      ...tokens.map((token) => ({ authorization: `Bearer ${token}` })),
    ] as Record<string, string>[]
    const seen = new Set<string>()

    for (const sent of headers) {
      const [ours, theirs] = await Promise.all([
        send(url, 'GET', '/mine', { headers: sent }),
        service.call('GET', '/identify', { headers: sent }),
      ])
      seen.add(ours.body.error)
      t.equal(ours.status, 401)
      t.equal(ours.text, theirs.text)
      for (const name of ['www-authenticate', 'cache-control', 'content-type', 'retry-after']) {
        t.equal(ours.headers.get(name), theirs.headers.get(name), `${name} of ${ours.body.error}`)
      }
      t.strictSame(flawsOf({ ...ours, headers: Object.fromEntries(ours.headers) }, { statuses: [401] }), [])
    }
    t.strictSame([...seen].sort(), ['session_ended', 'session_superseded', 'token_invalid', 'token_missing'])
  })

  t.test('401 token_missing for two Authorization headers, whatever the second says', async (t) => {
    const token = await service.login()
    const twice = ['Connection: close', `Authorization: Bearer ${token}`, 'authorization: Bearer x.y.z']

    const { answers } = await exchange(url, request('GET', '/mine', twice))

    t.match(answers, [{ status: 401, text: /"token_missing"/ }])
  })

  t.test('200 without a token from routes outside its scope', async (t) => {
    t.equal((await send(url, 'GET', '/anyone')).status, 200)
  })

  t.test('documents the security of the routes inside its scope', async (t) => {
    const { body } = await send(url, 'GET', '/openapi')

    t.strictSame(body.paths['/mine'].get.security, [{ bearer: [] }, { jwt: [] }])
    t.equal(body.paths['/mine'].get.summary, 'My own')
    t.equal(body.paths['/anyone'].get.security, undefined)
    t.strictSame(Object.keys(body.components.securitySchemes), ['bearer', 'jwt'])
  })
})

t.test(
  '503 with the body and headers of the service while Redis hangs, and the reason in the log',
  async (t) => {
    const service = await build(t)
    await service.addUser()
    const token = await service.login()
    const { url, lines } = await sibling(t, service)
    service.redis.process.kill('SIGSTOP')

    const [ours, theirs] = await Promise.all([send(url, 'GET', '/mine', { token }), service.identify(token)])

    t.equal(ours.status, 503)
    t.equal(ours.text, theirs.text)
    for (const name of ['www-authenticate', 'cache-control', 'content-type', 'retry-after']) {
      t.equal(ours.headers.get(name), theirs.headers.get(name), name)
    }
    t.match(lines(), [{ level: 40, msg: 'session not checked', reason: 'auth-service answered 503' }])
    t.notMatch(JSON.stringify(lines()), token)
    service.redis.process.kill('SIGCONT')
    await until(async () => assert.equal((await send(url, 'GET', '/mine', { token })).status, 200))
  },
)

t.test('closes its connections to the service when the sibling service closes', async (t) => {
  const service = await build(t)
  await service.addUser()
  const traffic = watchTraffic(service.app.server)
  const token = await service.login()
  await until(() => assert.equal(traffic.open, 1))
  const { app, url } = await sibling(t, service)
  await send(url, 'GET', '/mine', { token })
  t.equal(traffic.open, 2)

  await app.close()

  await until(() => assert.equal(traffic.open, 1))
})

t.test('FST_ERR_DEC_ALREADY_PRESENT where something else decorates requests with a session', async (t) => {
  const app = Fastify()
  app.decorateRequest('session')

  await t.rejects(async () => app.register(requireSession, { url: 'http://127.0.0.1:3000' }), {
    code: 'FST_ERR_DEC_ALREADY_PRESENT',
  })
})

/** A sibling service with a log, an error handler and schemas for failures of its own. */
async function sibling(t: Test, service: Service) {
  const written: string[] = []
  const app: FastifyInstance = Fastify({
    logger: { level: 'warn', stream: { write: (line: string) => void written.push(line) } },
  })
  app.setErrorHandler(async (_error, _request, reply) => reply.code(418).send({ oops: true }))
  await app.register(fastifySwagger, {
    openapi: { openapi: '3.1.0', components: { securitySchemes } },
  })
  app.get('/anyone', async () => ({}))
  app.get('/openapi', async () => app.swagger())
  await app.register(async function tokenHolders(scope) {
    await scope.register(requireSession, { url: service.url })
    const response = { '4xx': { type: 'object', properties: { oops: { type: 'boolean' } } } }
    scope.get('/mine', { schema: { summary: 'My own', response } }, async ({ session }) => session)
    scope.post('/mine', async ({ session }) => session)
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  return { app, url, lines: () => written.map((line) => JSON.parse(line)) }
}
