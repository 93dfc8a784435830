import t, { type Test } from 'tap'
import { build, MOBILE, PASSWORD, startBackends } from '../helper.js'
import { provisioner } from '../support/provisioner.js'
import { until } from '../support/servers.js'

const NEW_MOBILE = '+8613900139000'
const NEW_PASSWORD = 'eight dry parasols'
const FIELDS = ['user_id', 'mobile', 'status', 'logged_in', 'last_login', 'created_at']

/** Passwords that bcrypt or the rules for new passwords do not allow. */
const BAD_PASSWORDS = [
  '',
  'fourteen chars',
  'x'.repeat(73),
  '漢'.repeat(25),
  `${NEW_PASSWORD}\0`,
  15,
  null,
].concat(['123456789012345', 'a'.repeat(15), ' '.repeat(15), 'iloveyouiloveyou'])

const backends = await startBackends(t)
const service = await build(t, { backends, env: { LOGIN_MAX_FAILURES: '100' } })
const other = await build(t, { backends })
const client = await service.addClient(['users'])
const { ask, add, find, setStatus, setPassword, endSession } = provisioner(service.url, client)
const there = provisioner(other.url, client)
const userId = await service.addUser()

t.beforeEach(() => {
  service.actions.length = 0
})

t.test('POST /users', async (t) => {
  t.test('200 with the stored user, who can log in at once on every instance', async (t) => {
    const answer = await add({ mobile: '139 0013 9000', password: NEW_PASSWORD })

    const { data, ...envelope } = answer.body
    t.strictSame(envelope, { code: 200, msg: 'ok' })
    t.strictSame(Object.keys(data), FIELDS)
    t.match(data, { mobile: NEW_MOBILE, status: 'active', logged_in: false, last_login: null })
    t.ok(Math.abs(Date.parse(data.created_at) - Date.now()) < 60_000)
    t.equal(answer.headers.get('cache-control'), 'no-store')
    t.strictSame((await there.find(data.user_id)).body.data, data)
    t.ok(await other.login({ mobile: NEW_MOBILE, password: NEW_PASSWORD }))
    lastAction(t, 'user_added', data.user_id, 'POST', '/users')
  })

  t.test('200 with a hash of the configured cost', async (t) => {
    const costly = await build(t, { backends, env: { BCRYPT_COST: '11' } })

    const { body } = await provisioner(costly.url, client).add({
      mobile: '+8613900139001',
      password: NEW_PASSWORD,
    })

    const [row] = await backends.sql`select password from user_login where user_id = ${body.data.user_id}`
    t.match(row?.password, /^\$2b\$11\$/)
  })

  t.test('409 mobile_taken with the id of its user, for every spelling, and nothing changes', async (t) => {
    const token = await service.login()
    for (const mobile of [MOBILE, '0086 138-0013-8000', '\u202d13800138000\u202c', '+86 00 138 0013 8000']) {
      const { status, body } = await add({ mobile, password: NEW_PASSWORD })

      t.equal(status, 409)
      t.strictSame(body, {
        code: 409,
        error: 'mobile_taken',
        msg: 'mobile is taken by another user',
        data: { user_id: userId },
      })
    }
    t.equal((await service.identify(token)).status, 200)
    t.ok(await service.login())
    t.notOk(service.actions.some(({ event }) => event === 'user_added'))
  })

  t.test('400 for an invalid mobile', async (t) => {
    for (const mobile of [
      '12',
      'not a number',
      `${MOBILE} ext. 5`,
      '',
      'x'.repeat(65),
      8613800138000,
      null,
    ]) {
      const answer = await add({ mobile, password: NEW_PASSWORD })
      t.match(answer, { status: 400, body: { error: 'invalid_request', msg: /mobile/ } }, String(mobile))
    }
  })

  t.test('400 for a bad password or unknown members, and no user is added', async (t) => {
    const mobile = '+8613900139002'
    for (const password of BAD_PASSWORDS) {
      const answer = await add({ mobile, password })
      t.match(
        answer,
        { status: 400, body: { error: 'invalid_request', msg: /password/ } },
        JSON.stringify(password),
      )
    }
    for (const body of [
      { mobile },
      { password: NEW_PASSWORD },
      { mobile, password: NEW_PASSWORD, user_id: 7 },
    ]) {
      t.match(await add(body), { status: 400, body: { error: 'invalid_request' } })
    }
    t.strictSame([...(await backends.sql`select 1 from user_login where mobile = ${mobile}`)], [])
  })
})

t.test('GET /users/{id}', async (t) => {
  t.test('200 with the user, without an action', async (t) => {
    await service.login()
    service.actions.length = 0

    const { status, body, text, headers } = await find(userId)

    t.equal(status, 200)
    t.strictSame(Object.keys(body.data), FIELDS)
    t.match(body.data, { user_id: userId, mobile: MOBILE, status: 'active', logged_in: true })
    t.match(body.data.last_login, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    t.ok(Math.abs(Date.parse(body.data.last_login) - Date.now()) < 60_000)
    t.notMatch(text, /\$2[aby]\$/, 'never the hash')
    t.equal(headers.get('cache-control'), 'no-store')
    t.strictSame(service.actions, [])
  })

  t.test('200 with logged_in: false once the session has ended or expired', async (t) => {
    const brief = await build(t, { backends, env: { TOKEN_TTL_SECONDS: '1' } })
    await service.logout(await service.login())
    t.match((await find(userId)).body.data, { logged_in: false })

    await brief.login()
    await until(async () => {
      const { logged_in } = (await find(userId)).body.data
      if (logged_in) throw new Error('still logged in')
    })
  })
})

t.test('PATCH /users/{id}', async (t) => {
  t.test('200 for disabling; 401 user_disabled at once on every instance', async (t) => {
    const token = await service.login()

    const answer = await setStatus(userId, 'disabled')

    const elsewhere = await other.identify(token)
    t.match(elsewhere, { status: 401, body: { error: 'user_disabled' } })
    t.match(answer, {
      status: 200,
      body: { data: { user_id: userId, status: 'disabled', logged_in: false } },
    })
    lastAction(t, 'user_disabled', userId, 'PATCH', `/users/${userId}`)
    t.equal((await attempt(PASSWORD)).status, 401)
    t.match(await there.setStatus(userId, 'disabled'), {
      status: 200,
      body: { data: { status: 'disabled' } },
    })
    t.equal((await attempt(PASSWORD)).status, 401)
  })

  t.test('200 for enabling; the user can log in, and no ended session revives', async (t) => {
    await setStatus(userId, 'active')
    const token = await service.login()
    await setStatus(userId, 'disabled')

    const answer = await setStatus(userId, 'active')

    t.match(await other.identify(token), { status: 401, body: { error: 'session_ended' } })
    t.match(answer, { status: 200, body: { data: { status: 'active', logged_in: false } } })
    lastAction(t, 'user_enabled', userId, 'PATCH', `/users/${userId}`)
    t.equal((await attempt(PASSWORD)).status, 200)
  })

  t.test('200 for enabling an active user, whose session lives', async (t) => {
    const token = await service.login()

    t.match(await setStatus(userId, 'active'), { status: 200, body: { data: { logged_in: true } } })

    t.equal((await other.identify(token)).status, 200)
  })

  t.test('400 for any other status, and nothing changes', async (t) => {
    const token = await service.login()
    const bodies = [
      ...['deleted', 'Active', 'DISABLED', '', null, true, 0, ['disabled']].map((status) => ({ status })),
      {},
      { status: 'disabled', user_id: 1 },
      'disabled',
      null,
    ]
    for (const body of bodies) {
      const headers = { 'content-type': 'application/json' }
      const answer = await ask('PATCH', `/users/${userId}`, JSON.stringify(body), headers)
      t.match(answer, { status: 400, body: { error: 'invalid_request' } }, JSON.stringify(body))
    }
    t.equal((await service.identify(token)).status, 200)
  })
})

t.test('PUT /users/{id}/password', async (t) => {
  t.test('200 ends the session on every instance; only the new password logs in', async (t) => {
    const token = await service.login()

    const answer = await setPassword(userId, NEW_PASSWORD)

    const elsewhere = await other.identify(token)
    t.match(elsewhere, { status: 401, body: { error: 'session_ended' } })
    t.strictSame(answer.body, { code: 200, msg: 'ok' })
    lastAction(t, 'password_changed', userId, 'PUT', `/users/${userId}/password`)
    t.equal((await attempt(PASSWORD)).status, 401)
    t.equal((await attempt(NEW_PASSWORD)).status, 200)
    t.equal((await setPassword(userId, PASSWORD)).status, 200)
  })

  t.test('200 for passwords of exactly 15 characters and of exactly 72 bytes', async (t) => {
    for (const password of [
      'fifteen letters',
      '三只小猫在屋顶上唱歌跳舞喝茶看书写字画画晒太阳呀',
      PASSWORD,
    ]) {
      t.equal((await setPassword(userId, password)).status, 200)
      t.equal((await attempt(password)).status, 200)
    }
  })

  t.test('400 for a bad password, and nothing changes', async (t) => {
    const token = await service.login()
    for (const password of BAD_PASSWORDS) {
      const answer = await setPassword(userId, password)
      t.match(
        answer,
        { status: 400, body: { error: 'invalid_request', msg: /password/ } },
        JSON.stringify(password),
      )
    }
    t.equal((await service.identify(token)).status, 200)
  })

  t.test('200 for a disabled user, who stays disabled', async (t) => {
    await setStatus(userId, 'disabled')

    t.equal((await setPassword(userId, NEW_PASSWORD)).status, 200)

    t.equal((await attempt(NEW_PASSWORD)).status, 401)
    await setStatus(userId, 'active')
    t.equal((await attempt(NEW_PASSWORD)).status, 200)
    await setPassword(userId, PASSWORD)
  })
})

t.test('DELETE /users/{id}/session', async (t) => {
  t.test('200 ends the session on every instance; the user can log in again', async (t) => {
    const token = await service.login()

    const answer = await endSession(userId)

    const elsewhere = await other.identify(token)
    t.match(elsewhere, { status: 401, body: { error: 'session_ended' } })
    t.strictSame(answer.body, { code: 200, msg: 'ok' })
    lastAction(t, 'session_ended', userId, 'DELETE', `/users/${userId}/session`)
    t.ok(await service.login())
  })

  t.test('200 where there is no session', async (t) => {
    t.equal((await endSession(userId)).status, 200)
    t.equal((await endSession(userId)).status, 200)
  })

  t.test('200 whatever the body, or with a Content-Type and no body', async (t) => {
    for (const body of [undefined, '{', '{"status":"disabled"}', 'x'.repeat(5000)]) {
      const headers = { 'content-type': 'application/json' }
      t.equal((await ask('DELETE', `/users/${userId}/session`, body, headers)).status, 200)
    }
    t.match((await find(userId)).body.data, { status: 'active' })
  })
})

t.test('logs changes of users without mobiles and passwords', async (t) => {
  await add({ mobile: '+8613900139003', password: NEW_PASSWORD })
  await add({ mobile: '+8613900139003', password: NEW_PASSWORD })
  await setPassword(userId, NEW_PASSWORD)
  await setPassword(userId, PASSWORD)

  t.strictSame(
    service.actions.map(({ event }) => event),
    ['user_added', 'password_changed', 'password_changed'],
  )
  t.notMatch(JSON.stringify(service.actions), /1390013|1380013|umbrellas|parasols|client-.*secret/)
})

function attempt(password: string) {
  return service.call('POST', '/login', { body: { mobile: MOBILE, password } })
}

/** The last action names the event, the user, the service client and the address. */
function lastAction(t: Test, event: string, user_id: number, method: string, url: string): void {
  const action = service.actions.at(-1)
  t.match(action, {
    event,
    user_id,
    client: client.name,
    method,
    url,
    ip: '127.0.0.1',
    request_id: /^[\w-]{12}-[\da-z]+$/,
  })
}
