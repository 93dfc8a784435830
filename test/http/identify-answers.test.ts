import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { build } from '../helper.js'
import { exchange, request } from '../support/raw-http.js'

/** A preference that this service does not know and ignores. */
const OTHER_PREFERENCE = 'Prefer: handling=lenient'

t.test('GET /identify on the wire, through Fastify', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const superseded = await service.login()
  const ended = await service.login()
  await service.logout(ended)
  const disabledId = await service.addUser({ mobile: '+8613900139000' })
  const disabled = await service.login({ mobile: '+8613900139000' })
  await service.sql`update user_login set status = 'disabled' where user_id = ${disabledId}`
  const live = await service.login()

  const bearer = (token: string) => `Authorization: Bearer ${token}`

  /** The answer without its date, whether Fastify handled it, whether the connection was closed. */
  async function ask(asked: string[], bytes = request('GET', '/identify', asked)) {
    let byFastify = false
    const notice = () => {
      byFastify = true
    }
    diagnostics.subscribe('tracing:fastify.request.handler:start', notice)
    const { answers, closed } = await exchange(service.url, bytes, { answers: 1, waitMs: 3000 })
    diagnostics.unsubscribe('tracing:fastify.request.handler:start', notice)
    const [answer] = answers
    const headers: Record<string, string> = { ...answer?.headers, date: '' }
    return { byFastify, said: { ...answer, names: Object.keys(headers), headers }, closed }
  }

  for (const [name, headers] of [
    ['a live token', [bearer(live)]],
    ['a live token under the scheme JWT', [`Authorization: JWT ${live}`]],
    ['a scheme in lower case', [`authorization: bearer  ${live}`]],
    ['Connection: close', [bearer(live), 'Connection: close']],
    ['a Content-Type without a body', [bearer(live), 'Content-Type: ;;;']],
  ] as const) {
    t.test(`200 for ${name}, and the same bytes with an unknown preference`, async (t) => {
      const plain = await ask([...headers])
      const preferring = await ask([...headers, OTHER_PREFERENCE])
      t.strictSame([plain.byFastify, preferring.byFastify], [true, true])
      t.equal(plain.said.status, 200)
      t.equal(plain.said.headers['x-user-id'], String(userId))
      t.strictSame(plain.said, preferring.said)
      t.equal(plain.closed, preferring.closed)
    })
  }

  t.test('200 over HTTP/1.0, and the same bytes with an unknown preference', async (t) => {
    const old = (...more: string[]) => ['GET /identify HTTP/1.0', bearer(live), ...more, '', ''].join('\r\n')
    const plain = await ask([], old())
    const preferring = await ask([], old(OTHER_PREFERENCE))
    t.strictSame([plain.byFastify, plain.said.status], [true, 200])
    t.strictSame([plain.said, plain.closed], [preferring.said, preferring.closed])
  })

  for (const [name, error, headers] of [
    ['no token', 'token_missing', []],
    ['two tokens', 'token_missing', [bearer(live), bearer(live)]],
    ['a broken token', 'token_invalid', [bearer(`${live}x`)]],
    ['a superseded session', 'session_superseded', [bearer(superseded)]],
    ['a session that was logged out', 'session_superseded', [bearer(ended)]],
    ['a disabled user', 'user_disabled', [bearer(disabled)]],
  ] as const) {
    t.test(`401 ${error} for ${name}, and the same bytes with an unknown preference`, async (t) => {
      const plain = await ask([...headers])
      const preferring = await ask([...headers, OTHER_PREFERENCE])
      t.equal(plain.said.status, 401)
      t.match(plain.said.text, `"error":"${error}"`)
      t.strictSame(plain.said, preferring.said)
    })
  }

  for (const [name, headers, body] of [
    ['a body of known length', ['Content-Length: 3'], 'abc'],
    ['Content-Length: 0', ['Content-Length: 0'], ''],
    ['a chunked body', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n'],
  ] as const) {
    t.test(`200 for GET with ${name}`, async (t) => {
      const { byFastify, said } = await ask([], request('GET', '/identify', [bearer(live), ...headers], body))
      t.strictSame([byFastify, said.status], [true, 200])
    })
  }

  t.test('reads Redis once per check, also for a refusal', async (t) => {
    const reads = async () =>
      Number(/cmdstat_mget:calls=(\d+)/.exec(await service.redisClient.info('commandstats'))?.[1])
    for (const token of [live, superseded]) {
      const before = await reads()
      await service.identify(token)
      t.equal((await reads()) - before, 1)
    }
  })

  /** A connection to the service, and the service's end of it. */
  async function connected() {
    const { hostname, port } = new URL(service.url)
    const accepted = once(service.app.server, 'connection')
    const near = connect(Number(port), hostname).on('error', () => undefined)
    const [far] = (await accepted) as [Socket]
    return { near, far }
  }

  t.test('sends pipelined answers whole and in order to a caller that reads late', async (t) => {
    const { near, far } = await connected()
    const tokens: string[] = []
    while (!(far.isPaused() && far.writableLength > 0)) {
      const token = tokens.length % 3 === 0 ? superseded : live
      tokens.push(token)
      near.write(request('GET', '/identify', [bearer(token)]))
      // Both ends are in this process: let the service read.
      if (tokens.length % 100 === 0) await nextTurn()
    }
    near.write(request('GET', '/livez', ['Connection: close']))

    let received = ''
    near.setEncoding('latin1').on('data', (text) => (received += text))
    await once(near, 'end')
    const statuses = Array.from(received.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => Number(status))
    const expected = [...tokens.map((token) => (token === live ? 200 : 401)), 200]
    t.equal(statuses.length, expected.length)
    t.strictSame(new Set(statuses.filter((status, turn) => status !== expected[turn])), new Set())
  })

  t.test('200 for others after 100 callers reset their connection before the answer', async (t) => {
    for (let turn = 0; turn < 100; turn++) {
      const { near, far } = await connected()
      const gone = new Promise((resolve) => far.once('close', resolve))
      near.write(request('GET', '/identify', [bearer(live)]))
      await once(service.app.server, 'request')
      near.resetAndDestroy()
      await gone
    }
    t.equal((await service.identify(live)).status, 200)
  })

  t.test('answers pipelined requests in their order', async (t) => {
    const two =
      request('GET', '/identify', [bearer(superseded)]) + request('GET', '/identify', [bearer(live)])
    const { answers } = await exchange(service.url, two + request('GET', '/livez'), { answers: 3 })
    t.strictSame(
      answers.map(({ status }) => status),
      [401, 200, 200],
    )
  })
})
