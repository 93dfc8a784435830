import diagnostics from 'node:diagnostics_channel'
import t from 'tap'
import { build } from './helper.js'
import { exchange, request } from './support/raw-http.js'

/** No preference that this service knows: it changes nothing, but only Fastify may say so. */
const THE_LONG_WAY = 'Prefer: handling=lenient'

t.test('GET /identify, before Fastify sees it', async (t) => {
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

  /** The whole answer but the time and the random parts, and whether Fastify gave it. */
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
    ['a live token as JWT', [`Authorization: JWT ${live}`]],
    ['in small letters', [`authorization: bearer  ${live}`]],
    ['and closed after it', [bearer(live), 'Connection: close']],
    ['with the headers of a body', [bearer(live), 'Content-Type: ;;;', 'Content-Length: 0']],
  ] as const) {
    t.test(`the same answer, byte for byte: ${name}`, async (t) => {
      const short = await ask([...headers])
      const long = await ask([...headers, THE_LONG_WAY])
      t.strictSame([short.byFastify, long.byFastify], [false, true])
      t.equal(short.said.status, 200)
      t.equal(short.said.headers['x-user-id'], String(userId))
      t.strictSame(short.said, long.said)
      t.equal(short.closed, long.closed)
    })
  }

  t.test('the same to a client of HTTP/1.0', async (t) => {
    const old = (...more: string[]) => ['GET /identify HTTP/1.0', bearer(live), ...more, '', ''].join('\r\n')
    const short = await ask([], old())
    const long = await ask([], old(THE_LONG_WAY))
    t.strictSame([short.byFastify, short.said.status], [false, 200])
    t.strictSame([short.said, short.closed], [long.said, long.closed])
  })

  for (const [name, error, headers] of [
    ['no token', 'token_missing', []],
    ['two tokens', 'token_missing', [bearer(live), bearer(live)]],
    ['a broken token', 'token_invalid', [bearer(`${live}x`)]],
    ['a superseded session', 'session_superseded', [bearer(superseded)]],
    ['a session that was logged out', 'session_superseded', [bearer(ended)]],
    ['a user who was disabled', 'user_disabled', [bearer(disabled)]],
  ] as const) {
    t.test(`the same refusal: ${name}`, async (t) => {
      const short = await ask([...headers])
      const long = await ask([...headers, THE_LONG_WAY])
      t.equal(short.said.status, 401)
      t.match(short.said.text, `"error":"${error}"`)
      t.strictSame(short.said, long.said)
    })
  }

  t.test('the stores are asked once, also for who is refused', async (t) => {
    const reads = async () =>
      Number(/cmdstat_mget:calls=(\d+)/.exec(await service.redisClient.info('commandstats'))?.[1])
    for (const token of [live, superseded]) {
      const before = await reads()
      await service.identify(token)
      t.equal((await reads()) - before, 1)
    }
  })

  t.test('several on one connection are answered in their order', async (t) => {
    const two =
      request('GET', '/identify', [bearer(superseded)]) + request('GET', '/identify', [bearer(live)])
    const { answers } = await exchange(service.url, two + request('GET', '/livez'), { answers: 3 })
    t.strictSame(
      answers.map(({ status }) => status),
      [401, 200, 200],
    )
  })
})
