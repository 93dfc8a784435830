import t from 'tap'
import { build, claimsOf } from '../helper.js'

t.test('POST /verify', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()

  t.test('200 with the claims of a live session', async (t) => {
    const token = await service.login()

    const { status, body, headers } = await service.verify(token)

    const payload = claimsOf(token)
    t.equal(status, 200)
    t.strictSame(body, { code: 200, msg: 'ok', data: { payload, user_id: userId, expires_at: payload.exp } })
    t.equal(headers.get('cache-control'), 'no-store')
  })

  t.test('200 for check "signature" after a logout, 401 session_ended for check "session"', async (t) => {
    const token = await service.login()
    await service.logout(token)

    t.equal((await service.verify(token, 'signature')).status, 200)
    t.match(await service.verify(token, 'session'), { status: 401, body: { error: 'session_ended' } })
    t.match(await service.verify(token), { status: 401, body: { error: 'session_ended' } })
  })

  t.test('401 with the same error and challenge as /identify', async (t) => {
    const superseded = await service.login()
    const live = await service.login()

    for (const token of [superseded, live, `${live.slice(0, -8)}AAAAAAAA`, 'x.y.z']) {
      const [verified, identified] = await Promise.all([service.verify(token), service.identify(token)])
      t.equal(verified.status, identified.status)
      t.equal(verified.body.error, identified.body.error)
      t.equal(verified.headers.get('www-authenticate'), identified.headers.get('www-authenticate'))
    }
  })

  t.test('400 for a malformed request', async (t) => {
    const token = await service.login()
    for (const body of [
      {},
      { token: '' },
      { token: [token] },
      { token, check: 'all' },
      { token, more: 1 },
      [],
      'null',
    ]) {
      const answer = await service.call('POST', '/verify', {
        body,
        headers: { 'content-type': 'application/json' },
      })
      t.match(answer, { status: 400, body: { code: 400, error: 'invalid_request' } })
      t.notMatch(answer.text, token)
    }
  })
})
