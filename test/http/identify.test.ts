import t from 'tap'
import { build, claimsOf, MOBILE } from '../helper.js'

t.test('GET /identify', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const token = await service.login()
  const claims = claimsOf(token)

  t.test('200 with the identity in the body and in headers', async (t) => {
    const { status, body, headers } = await service.identify(token)

    t.equal(status, 200)
    t.strictSame(body.data, { user_id: userId, login_time: claims.data.login_time, expires_at: claims.exp })
    t.equal(headers.get('x-user-id'), String(userId))
    t.equal(headers.get('x-session-id'), claims.jti)
    t.equal(headers.get('cache-control'), 'no-store')
  })

  t.test('200 for both schemes, in any case', async (t) => {
    for (const scheme of ['Bearer', 'bearer', 'JWT', 'jwt', 'Jwt']) {
      const answer = await service.call('GET', '/identify', {
        headers: { authorization: `${scheme} ${token}` },
      })
      t.equal(answer.status, 200, scheme)
    }
  })

  t.test('200 for every method and every path below /identify, without reading the body', async (t) => {
    for (const method of ['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'SEARCH']) {
      const body = ['HEAD', 'OPTIONS'].includes(method) ? {} : { body: '{"broken":' }
      const path = '/identify/videos/7?token=x&page=%zz'
      const headers = { 'content-type': 'application/json' }
      const answer = await service.call(method, path, { token, headers, ...body })
      t.equal(answer.status, 200, method)
      t.equal(answer.headers.get('x-user-id'), String(userId), method)
    }
    const large = await service.call('POST', '/identify', { token, body: new Uint8Array(1 << 20) })
    t.equal(large.status, 200)
  })

  t.test('204 without a body for Prefer: return=minimal (RFC 7240)', async (t) => {
    for (const prefer of ['return=minimal', 'wait=10, Return="minimal"']) {
      const { status, headers, text } = await service.call('GET', '/identify', { token, headers: { prefer } })
      t.strictSame([status, text], [204, ''])
      t.equal(headers.get('preference-applied'), 'return=minimal')
      t.equal(headers.get('x-user-id'), String(userId))
    }
    const all = await service.call('GET', '/identify', {
      token,
      headers: { prefer: 'return=representation' },
    })
    t.equal(all.body.data.user_id, userId)
    t.equal(all.headers.get('preference-applied'), null)
    const refused = await service.call('GET', '/identify', { headers: { prefer: 'return=minimal' } })
    t.match(refused, { status: 401, body: { error: 'token_missing' } }, 'a refusal says why all the same')
  })

  t.test('401 token_missing without exactly one token in the header', async (t) => {
    const headers = [
      undefined,
      '',
      token,
      'Bearer',
      `Basic ${token}`,
      `Bearer ${token} ${token}`,
      `Bearer ${token}, JWT ${token}`,
      `Bearer ${token}\t${token}`,
      `Bearer \t${token}`,
      `Bearer ${token}\u00a0x`,
      `Bearer  ${token},`,
    ]
    for (const authorization of headers) {
      const answer = await service.call('GET', `/identify?token=${token}`, {
        headers: authorization === undefined ? {} : { authorization },
      })
      t.match(answer, { status: 401, body: { code: 401, error: 'token_missing' } })
      t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="auth"')
      t.equal(answer.headers.get('cache-control'), 'no-store')
      t.notOk(answer.headers.get('x-user-id'))
    }
  })

  t.test('401 token_invalid for a wrong signature', async (t) => {
    const answer = await service.identify(`${token.slice(0, -8)}AAAAAAAA`)

    t.match(answer, { status: 401, body: { code: 401, error: 'token_invalid' } })
    t.match(
      answer.headers.get('www-authenticate'),
      /^Bearer realm="auth", error="invalid_token", error_description="/,
    )
  })

  t.test('401 session_superseded once the user logs in elsewhere', async (t) => {
    const newer = await service.login()

    t.match(await service.identify(token), { status: 401, body: { error: 'session_superseded' } })
    t.equal((await service.identify(newer)).status, 200)
  })

  t.test('401 session_ended after logout', async (t) => {
    const mine = await service.login()
    await service.logout(mine)

    t.match(await service.identify(mine), { status: 401, body: { error: 'session_ended' } })
  })

  t.test('401 session_ended when Redis has lost the session', async (t) => {
    const mine = await service.login()
    await service.redisClient.del(`jwt_token:${userId}`)

    t.match(await service.identify(mine), { status: 401, body: { error: 'session_ended' } })
  })

  t.test('401 when Redis holds a later entry than PostgreSQL', async (t) => {
    const mine = await service.login()
    const later = claimsOf(mine).data.login_time + 1

    await service.redisClient.set(`jwt_token:${userId}`, `${later}.`)
    t.match(await service.identify(mine), { status: 401, body: { error: 'session_ended' } })
    await service.redisClient.set(`jwt_token:${userId}`, `${later}.another-session`)
    t.match(await service.identify(mine), { status: 401, body: { error: 'session_superseded' } })
  })

  t.test('401 user_disabled when the account is disabled or deleted', async (t) => {
    await service.redisClient.del(`jwt_token:${userId}`)
    const mine = await service.login()
    await service.sql`update user_login set status = 'disabled' where mobile = ${MOBILE}`
    t.match(await service.identify(mine), { status: 401, body: { error: 'user_disabled' } })

    await service.sql`delete from user_login where mobile = ${MOBILE}`
    t.match(await service.identify(mine), { status: 401, body: { error: 'user_disabled' } })
  })
})

t.test('401 token_expired from the second of exp on', async (t) => {
  const service = await build(t, { env: { TOKEN_TTL_SECONDS: '2' } })
  await service.addUser()
  const token = await service.login()
  const { exp } = claimsOf(token)

  t.equal((await service.identify(token)).status, 200)
  await new Promise((resolve) => setTimeout(resolve, exp * 1000 - Date.now()))

  t.match(await service.identify(token), { status: 401, body: { error: 'token_expired' } })
  t.match(await service.verify(token), { status: 401, body: { error: 'token_expired' } })
  t.equal((await service.logout(token)).status, 200, 'an expired token may log out')
})

t.test('SESSION_RECOVERY=database', async (t) => {
  const service = await build(t, { env: { SESSION_RECOVERY: 'database' } })
  const userId = await service.addUser()
  const key = `jwt_token:${userId}`

  t.test('200 for a live session that Redis has lost, and Redis has it again', async (t) => {
    const token = await service.login()
    const entry = await service.redisClient.get(key)
    await service.redisClient.del(key)

    t.equal((await service.identify(token)).status, 200)

    await t.resolves(service.identify(token))
    t.equal(await service.redisClient.get(key), entry)
    t.ok((await service.redisClient.pttl(key)) > 86_400_000)
  })

  t.test('401 session_ended for ended sessions that Redis has lost', async (t) => {
    const superseded = await service.login()
    const ended = await service.login()
    await service.logout(ended)
    await service.redisClient.del(key)

    t.match(await service.identify(superseded), { status: 401, body: { error: 'session_ended' } })
    t.match(await service.identify(ended), { status: 401, body: { error: 'session_ended' } })
    t.equal(await service.redisClient.get(key), null)
  })
})
