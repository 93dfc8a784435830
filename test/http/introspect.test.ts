import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { basic, build, claimsOf, MOBILE } from '../helper.js'

const INACTIVE = '{"active":false}'

t.test('POST /introspect', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const client = await service.addClient(['introspect'])
  const ask = (token: string) => service.submit('/introspect', { token }, client)

  t.test('200 active with the claims, for a live session', async (t) => {
    const token = await service.login()

    const { status, body, headers } = await ask(token)

    const { data, ...claims } = claimsOf(token)
    t.equal(status, 200)
    t.strictSame(body, {
      active: true,
      token_type: 'Bearer',
      ...claims,
      sid: claims.jti,
      ext: { ...data, sid: claims.jti },
    })
    t.equal(body.sub, String(userId))
    t.equal(headers.get('cache-control'), 'no-store')
    t.match(headers.get('content-type'), /^application\/json/)
  })

  t.test('200 inactive, without other members, for dead, forged and malformed tokens', async (t) => {
    const superseded = await service.login()
    const ended = await service.login()
    await service.logout(ended)
    const live = await service.login()

    for (const token of [
      superseded,
      ended,
      `${live.slice(0, -8)}AAAAAAAA`,
      'x.y.z',
      'x',
      'é\u0000',
      'a'.repeat(3000),
    ]) {
      const answer = await ask(token)
      t.equal(answer.status, 200)
      t.equal(answer.text, INACTIVE)
      t.equal(answer.headers.get('cache-control'), 'no-store')
      t.equal(answer.headers.get('www-authenticate'), null)
    }
    t.match((await ask(live)).body, { active: true })
  })

  t.test('200 inactive as soon as the account is disabled', async (t) => {
    const token = await service.login()
    await service.sql`update user_login set status = 'disabled' where mobile = ${MOBILE}`
    t.teardown(() => service.sql`update user_login set status = 'active' where mobile = ${MOBILE}`)

    t.equal((await ask(token)).text, INACTIVE)
  })

  t.test('200 inactive once the token has expired', async (t) => {
    const brief = await build(t, { backends: service.backends, env: { TOKEN_TTL_SECONDS: '1' } })
    const token = await brief.login()
    const { exp } = claimsOf(token)
    while (Date.now() < exp * 1000) await sleep(20)

    t.equal((await ask(token)).text, INACTIVE)
  })

  t.test('200 active whatever token_type_hint says, and with unknown members', async (t) => {
    const token = await service.login()
    for (const hint of ['access_token', 'refresh_token', 'nonsense', '']) {
      const answer = await service.submit(
        '/introspect',
        { token, token_type_hint: hint, scope: 'a b' },
        client,
      )
      t.match(answer, { status: 200, body: { active: true } }, hint)
    }
  })

  t.test('400 invalid_request for no token, an empty one, or several', async (t) => {
    const token = await service.login()
    for (const form of [
      '',
      'token=',
      'tokens=x',
      `token=${token}&token=${token}`,
      'token_type_hint=access_token',
    ]) {
      const answer = await service.submit('/introspect', form, client)
      t.match(
        answer,
        { status: 400, body: { error: 'invalid_request', error_description: String } },
        form.slice(0, 20),
      )
      t.strictSame(Object.keys(answer.body), ['error', 'error_description'])
      t.notMatch(answer.text, token)
    }
  })

  t.test('415 for anything but a form, 413 for a long form, 405 for GET', async (t) => {
    const token = await service.login()
    const authorization = basic(client)
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x']) {
      const headers = { authorization, 'content-type': type }
      const answer = await service.call('POST', '/introspect', { body: JSON.stringify({ token }), headers })
      t.match(answer, { status: 415, body: { error: 'unsupported_media_type' } }, type)
    }
    t.match(await ask('a'.repeat(5000)), { status: 413, body: { error: 'payload_too_large' } })
    // A token in a URL would end up in logs.
    const get = await service.call('GET', `/introspect?token=${token}`, { headers: { authorization } })
    t.equal(get.status, 405)
  })

  t.test('200 active exactly for those tokens for which /verify answers 200', async (t) => {
    const live = await service.login()
    const tokens = [live, `${live}x`, `x${live}`, live.toUpperCase(), ...mutations(live)]

    for (const token of tokens) {
      const [introspected, verified] = await Promise.all([ask(token), service.verify(token)])
      t.equal(introspected.body.active, verified.status === 200, token)
    }
  })

  t.test('503, not inactive, while Redis is away', async (t) => {
    const token = await service.login()
    await service.redis.stop()

    const answer = await ask(token)

    t.match(answer, { status: 503, body: { error: 'temporarily_unavailable', error_description: String } })
    t.equal(answer.headers.get('retry-after'), '1')
    t.equal(answer.headers.get('www-authenticate'), null)
  })
})

function mutations(token: string): string[] {
  return Array.from({ length: 40 }, (_, index) => {
    const at = Math.floor((index * token.length) / 40)
    return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
  })
}
