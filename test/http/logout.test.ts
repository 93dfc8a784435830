import t from 'tap'
import { build } from '../helper.js'

t.test('POST /logout', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()

  t.test('200 for the first and for a repeated logout; the session ends at once', async (t) => {
    const token = await service.login()

    const first = await service.logout(token)
    const second = await service.logout(token)

    t.match(first, { status: 200, body: { code: 200, msg: 'ok' } })
    t.equal(second.status, 200)
    t.match(await service.identify(token), { status: 401, body: { error: 'session_ended' } })
    t.match(await service.redisClient.get(`jwt_token:${userId}`), /^\d+\.$/, 'a tombstone guards the key')
  })

  t.test('200 for a superseded token; the newer session lives', async (t) => {
    const older = await service.login()
    const newer = await service.login()

    t.equal((await service.logout(older)).status, 200)

    t.equal((await service.identify(newer)).status, 200)
  })

  t.test('200 whatever the body is', async (t) => {
    for (const [body, type] of [
      ['', 'application/json'],
      ['{"a":', 'application/json'],
      ['x=y', 'application/x-www-form-urlencoded'],
      ['x', 'nonsense'],
    ] as const) {
      const token = await service.login()
      const answer = await service.call('POST', '/logout', { token, body, headers: { 'content-type': type } })
      t.equal(answer.status, 200, type)
    }
  })

  t.test('401 without a token, and for an invalid one', async (t) => {
    t.match(await service.call('POST', '/logout'), { status: 401, body: { error: 'token_missing' } })
    t.match(await service.logout('a.b.c'), { status: 401, body: { error: 'token_invalid' } })
  })

  t.test('200 when the user has been deleted', async (t) => {
    const token = await service.login()
    await service.sql`delete from user_login where user_id = ${userId}`

    t.equal((await service.logout(token)).status, 200)
  })
})
