import assert from 'node:assert'
import t from 'tap'
import { build, MOBILE, PASSWORD } from '../helper.js'
import { patiently } from '../support/patience.js'
import { until } from '../support/servers.js'

const NEW = 'eight dry umbrellas'
const OTHER_HASH = '$2b$10$ranq/8GerTEebPRDWhmvbuSrPTmAWvEwXeQzBUCvjAY1ZtTwQorHi'

t.test('POST /password', async (t) => {
  const service = await build(t, { env: { BCRYPT_COST: '10' } })
  const userId = await service.addUser()
  const change = (token: string, body: unknown) =>
    patiently(() => service.call('POST', '/password', { token, body }))

  t.test('401 invalid_credentials for a wrong current password; the session lives', async (t) => {
    const token = await service.login()

    t.match(await change(token, { current: 'wrong umbrellas', new: NEW }), {
      status: 401,
      body: { error: 'invalid_credentials' },
    })
    t.equal((await service.identify(token)).status, 200)
  })

  t.test('400 for a new password that is too short, too long or holds a NUL', async (t) => {
    const token = await service.login()

    for (const weak of ['fourteen chars', '☂'.repeat(25), `${NEW}\0`]) {
      const answer = await change(token, { current: PASSWORD, new: weak })
      t.match(answer, { status: 400, body: { error: 'invalid_request', msg: /new/ } })
    }
    t.equal((await service.identify(token)).status, 200)
  })

  t.test('400 for a new password that is easy to guess, only once the current one is proved', async (t) => {
    const token = await service.login()

    for (const weak of ['a'.repeat(15), '123456789012345', 'password123password', '138-0013-8000 138']) {
      const answer = await change(token, { current: PASSWORD, new: weak })
      t.match(answer, { status: 400, body: { error: 'invalid_request', msg: /^new is / } })
      t.notOk(answer.text.includes(weak))
      t.match(await change(token, { current: 'wrong umbrellas', new: weak }), { status: 401 })
    }
    t.equal((await service.identify(token)).status, 200)
    t.ok(await service.login(), 'and the old one still counts')
  })

  t.test('200 ends the session; only the new password logs in', async (t) => {
    const token = await service.login()

    t.equal((await change(token, { current: PASSWORD, new: NEW })).status, 200)

    t.match(await service.identify(token), { status: 401, body: { error: 'session_ended' } })
    t.equal(
      (await service.call('POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } })).status,
      401,
    )
    t.ok(await service.login({ password: NEW }))
  })

  t.test('401 for a login with the old password that was under way', async (t) => {
    const entry = `jwt_token:${userId}`
    await service.redisClient.del(entry)
    const login = service.call('POST', '/login', { body: { mobile: MOBILE, password: NEW } })
    // The login has read the row once its first write is in Redis. Its bcrypt takes longer.
    await until(async () => assert(await service.redisClient.exists(entry)))
    await service.sql`update user_login set password = ${OTHER_HASH} where user_id = ${userId}`

    t.match(await login, { status: 401, body: { error: 'invalid_credentials' } })
  })

  t.test('401 without a session', async (t) => {
    t.match(await service.call('POST', '/password', { body: { current: NEW, new: PASSWORD } }), {
      status: 401,
      body: { error: 'token_missing' },
    })
  })
})
