import t from 'tap'
import { build, MOBILE, PASSWORD } from './helper.js'

t.test('throttled logins', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '3', LOGIN_WINDOW_SECONDS: '600' } })
  await service.addUser()
  const tryLogin = (mobile: string, password: string) =>
    service.call('POST', '/login', { body: { mobile, password } })

  t.test('a success forgets the failures before it', async (t) => {
    for (const round of [1, 2]) {
      for (const password of ['wrong', 'wrong', PASSWORD]) await tryLogin(MOBILE, password)
      t.equal((await tryLogin(MOBILE, PASSWORD)).status, 200, `round ${round}`)
    }
  })

  t.test(
    '429 too_many_attempts for every spelling of the mobile, and the live session goes on',
    async (t) => {
      const token = await service.login()
      for (const mobile of [MOBILE, '13800138000', '+86 138-0013-8000']) {
        t.equal((await tryLogin(mobile, 'wrong')).status, 401)
      }

      const refused = await tryLogin('0086 13800138000', PASSWORD)

      t.match(refused, { status: 429, body: { code: 429, error: 'too_many_attempts' } })
      const retryAfter = Number(refused.headers.get('retry-after'))
      t.ok(retryAfter > 0 && retryAfter <= 600)
      t.equal((await service.identify(token)).status, 200)
      t.match(service.actions.at(-1), { event: 'login_throttled', mobile: '***8000' })
    },
  )

  t.test('429 for an unknown mobile just the same', async (t) => {
    const unknown = '+8613800138777'
    for (let attempt = 0; attempt < 3; attempt++) t.equal((await tryLogin(unknown, 'wrong')).status, 401)

    t.equal((await tryLogin(unknown, 'wrong')).status, 429)
  })

  t.test('429 for an address that tries many accounts', async (t) => {
    await service.redisClient.flushall()
    let last = 0
    for (let account = 0; account < 31 && last !== 429; account++) {
      last = (await tryLogin(`+861380013${String(9000 + account)}`, 'wrong')).status
    }

    t.equal(last, 429)
  })
})

t.test('X-Forwarded-For counts only from a trusted proxy', async (t) => {
  for (const [proxies, expected] of [
    ['', '127.0.0.1'],
    ['127.0.0.1', '198.51.100.7'],
  ] as const) {
    const service = await build(t, { env: { TRUST_PROXY: proxies } })
    await service.addUser()

    await service.call('POST', '/login', {
      body: { mobile: MOBILE, password: PASSWORD },
      headers: { 'x-forwarded-for': '198.51.100.7' },
    })

    t.match(service.actions.at(-1), { event: 'login', ip: expected })
  }
})

t.test('at most 100 comparisons for 200 parallel guesses', async (t) => {
  const service = await build(t)
  await service.addUser()

  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, guess) =>
      service.call('POST', '/login', { body: { mobile: MOBILE, password: `guess number ${guess}` } }),
    ),
  )

  const statuses = answers.map(({ status }) => status)
  t.ok(statuses.every((status) => [401, 429, 503].includes(status)))
  t.ok(
    statuses.filter((status) => status === 401).length <= 100,
    `${statuses.filter((s) => s === 401).length} compared`,
  )
})
