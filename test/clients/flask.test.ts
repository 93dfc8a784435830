import type { RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { type Answer, build, send } from '../helper.js'
import { exchange, request } from '../support/raw-http.js'
import { marked, readProject, startFlask } from '../support/siblings.js'
import { standIn, watchTraffic } from '../support/stand-in.js'

const APP = readProject('examples/flask/app.py')
const OTHER = '+8613800138001'

t.test('the Flask example', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const { url } = await startFlask(t, APP, service.url)
  const mine = (token: string) => send(url, 'GET', '/videos/mine', { token })

  t.test('200 with the user of the request, under both schemes', async (t) => {
    const token = await service.login()
    for (const scheme of ['Bearer', 'JWT', 'bearer']) {
      const headers = { authorization: `${scheme} ${token}` }
      const { status, body } = await send(url, 'GET', '/videos/mine', { headers })

      t.equal(status, 200)
      t.strictSame(body, { code: 200, msg: 'ok', data: { user_id: userId, videos: [] } })
    }
  })

  t.test('401 with the reason and the challenge of the service', async (t) => {
    await service.addUser({ mobile: OTHER })
    const ended = await service.login({ mobile: OTHER })
    await service.logout(ended)
    const superseded = await service.login()
    await service.login()

    for (const token of [ended, superseded, 'x.y.z', 'tok\u00e9n', '"']) {
      const [ours, theirs] = await Promise.all([mine(token), service.verify(token)])
      t.equal(ours.status, 401)
      t.strictSame(ours.body, theirs.body)
      t.equal(ours.headers.get('www-authenticate'), theirs.headers.get('www-authenticate'))
      t.equal(ours.headers.get('cache-control'), 'no-store')
    }
  })

  t.test('401 token_missing without exactly one token', async (t) => {
    const token = await service.login()
    for (const headers of [{}, { authorization: token }, { authorization: `Bearer ${token} ${token}` }]) {
      const answer = await send(url, 'GET', '/videos/mine', { headers: headers as Record<string, string> })
      t.match(answer, { status: 401, body: { code: 401, error: 'token_missing' } })
      t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="auth"')
    }
    const twice = ['Connection: close', `Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`]
    const { answers } = await exchange(url, request('GET', '/videos/mine', twice))
    t.match(answers, [{ status: 401, text: /"token_missing"/ }])
  })

  t.test('401 for the first request after a logout', async (t) => {
    for (let round = 0; round < 3; round++) {
      const token = await service.login()
      t.equal((await mine(token)).status, 200)
      await service.logout(token)
      t.match(await mine(token), { status: 401, body: { error: 'session_ended' } })
    }
  })

  t.test('uses one connection to the service for successive requests', async (t) => {
    const token = await service.login()
    const traffic = watchTraffic(service.app.server)

    for (let time = 0; time < 10; time++) t.equal((await mine(token)).status, 200)

    t.equal(traffic.requests, 10)
    t.equal(traffic.connections, 0, 'it was open already')
  })

  t.test('503 while Redis hangs', async (t) => {
    const token = await service.login()
    service.redis.process.kill('SIGSTOP')

    unavailable(t, await mine(token))

    service.redis.process.kill('SIGCONT')
  })
})

t.test('503 for an answer that breaks the contract, or none', async (t) => {
  const answers: [string, RequestListener][] = [
    ['no answer', () => undefined],
    ['a connection that is cut', (request) => void request.socket.destroy()],
    ['a page of a proxy', (_, response) => response.writeHead(401).end('<html>Log in</html>')],
    ['another 401', (_, response) => response.writeHead(401).end('{"code":401,"error":"invalid_client"}')],
    ['200 and nothing', (_, response) => response.end('{}')],
    ['200 and something else', (_, response) => response.end('["user_id"]')],
    ['a redirect', (_, response) => response.writeHead(307, { location: '/livez' }).end('{}')],
    ['an error', (_, response) => response.writeHead(500).end('{"code":500,"error":"internal"}')],
  ]
  let answer: RequestListener = () => undefined
  const { url } = await standIn(t, (request, response) => answer(request, response))
  const flask = await startFlask(t, APP, url)

  for (const [name, listener] of answers) {
    answer = listener
    const started = performance.now()
    unavailable(t, await send(flask.url, 'GET', '/videos/mine', { token: 'hunter2' }), name)
    t.ok(performance.now() - started < 5000, name)
  }
  t.match(flask.stderr(), /session not checked: ReadTimeoutError/)
  t.match(flask.stderr(), /session not checked: status 500/)
  t.notMatch(flask.stderr(), 'hunter2')
})

t.test('200 and 401 after a logout from the Flask application of docs/siblings.md as printed', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const { url } = await startFlask(t, marked(readProject('docs/siblings.md'), 'serve: flask'), service.url)
  const token = await service.login()

  t.strictSame((await send(url, 'GET', '/videos/mine', { token })).body, { user_id: userId })
  await service.logout(token)
  t.match(await send(url, 'GET', '/videos/mine', { token }), {
    status: 401,
    body: { error: 'session_ended' },
  })
})

function unavailable(t: Test, answer: Answer, name = ''): void {
  t.match(answer, { status: 503, body: { code: 503, error: 'temporarily_unavailable' } }, name)
  t.equal(answer.headers.get('retry-after'), '1')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(answer.headers.get('www-authenticate'), null)
}
