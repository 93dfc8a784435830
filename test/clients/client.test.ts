import assert from 'node:assert'
import { createVerifier, ServiceUnavailable, TokenRefused, type VerifierOptions } from '@auth-service/client'
import t, { type Test } from 'tap'
import { build, claimsOf, MOBILE } from '../helper.js'
import { verifierFor } from '../support/client.js'
import { until } from '../support/servers.js'
import { watchTraffic } from '../support/stand-in.js'

t.test('verify', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const verifier = verifierFor(t, { url: service.url })
  const refused = (t: Test, token: string, error: string) =>
    t.rejects(verifier.verify(token), { name: 'TokenRefused', error, status: 401 }, error)

  t.test('gives the session of a live token', async (t) => {
    const token = await service.login()
    const { jti, exp, data } = claimsOf(token)

    const session = await verifier.verify(token)

    t.strictSame(session, { userId, sessionId: jti, loginTime: data.login_time, expiresAt: exp })
  })

  t.test('TokenRefused with the reason for every dead or forged token', async (t) => {
    const superseded = await service.login()
    const ended = await service.login()

    await refused(t, superseded, 'session_superseded')
    await service.logout(ended)
    await refused(t, ended, 'session_ended')
    await refused(t, `${ended.slice(0, -8)}AAAAAAAA`, 'token_invalid')
    await refused(t, 'x.y.z', 'token_invalid')
    const disabled = await service.login()
    await service.sql`update user_login set status = 'disabled' where mobile = ${MOBILE}`
    await refused(t, disabled, 'user_disabled')
    await service.sql`update user_login set status = 'active' where mobile = ${MOBILE}`
  })

  t.test('TokenRefused session_ended in the first call after a logout', async (t) => {
    for (let round = 0; round < 5; round++) {
      const token = await service.login()
      await verifier.verify(token)
      await service.logout(token)
      await refused(t, token, 'session_ended')
    }
  })

  t.test('TokenRefused token_invalid for a token that is too long for the service', async (t) => {
    for (const length of [2049, 4080, 5000, 15_000]) await refused(t, 'x'.repeat(length), 'token_invalid')
  })

  t.test('TokenRefused token_invalid, without asking, for text that a header cannot hold', async (t) => {
    const traffic = watchTraffic(service.app.server)
    const texts = ['', ' ', 'a b', 'a,b', 'a\nb', 'a\r\nx-user-id: 1', 'a\0', 'tokén', '"a"', '{}', '=a']
    const noTexts = [undefined, null, 7, ['a'], { token: 'a' }] as unknown as string[]

    for (const token of [...texts, ...noTexts]) await refused(t, token, 'token_invalid')

    t.equal(traffic.requests, 0)
  })

  t.test('uses one connection for successive calls', async (t) => {
    const traffic = watchTraffic(service.app.server)
    const token = await service.login()
    const own = verifierFor(t, { url: `${service.url}/` })
    const before = traffic.connections

    for (let time = 0; time < 50; time++) await own.verify(token)

    t.equal(traffic.connections - before, 1)
    t.ok(traffic.requests >= 50)
  })

  t.test('keeps a path in the address', async (t) => {
    const own = verifierFor(t, { url: `${service.url}/identify` })
    const token = await service.login()

    // /identify/verify answers as /identify does, in another form than /verify.
    await t.rejects(own.verify(token), ServiceUnavailable)
  })

  t.test('gives each caller a session of its own', async (t) => {
    const token = await service.login()

    const [mine, yours] = await Promise.all([verifier.verify(token), verifier.verify(token)])
    mine.userId = 0

    t.equal(yours.userId, userId)
  })
})

t.test('TokenRefused token_expired from the second of exp on', async (t) => {
  const service = await build(t, { env: { TOKEN_TTL_SECONDS: '2' } })
  await service.addUser()
  const verifier = verifierFor(t, { url: service.url })
  const token = await service.login()

  t.ok(await verifier.verify(token))
  await new Promise((resolve) => setTimeout(resolve, claimsOf(token).exp * 1000 - Date.now()))

  await t.rejects(verifier.verify(token), { name: 'TokenRefused', error: 'token_expired' })
})

t.test('ServiceUnavailable while Redis hangs, the session again after it', async (t) => {
  const service = await build(t)
  await service.addUser()
  const verifier = verifierFor(t, { url: service.url })
  const token = await service.login()

  service.redis.process.kill('SIGSTOP')
  const error = await verifier.verify(token).catch((error) => error)
  t.notOk(error instanceof TokenRefused)
  t.match(error, { name: 'ServiceUnavailable', status: 503, retryAfter: 1, reason: /answered 503/ })
  t.notMatch(`${error.stack} ${JSON.stringify(error)}`, token)

  service.redis.process.kill('SIGCONT')
  await until(async () => assert.ok(await verifier.verify(token)))
})

t.test('TypeError for invalid options, without repeating them', async (t) => {
  const url = 'http://127.0.0.1:3000'
  const senseless: VerifierOptions[] = [
    { url: '' },
    { url: '127.0.0.1:3000' },
    { url: 'redis://:hunter2@127.0.0.1' },
    { url: `${url}/?key=hunter2` },
    { url: undefined as unknown as string },
    ...[0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31].map((timeoutMs) => ({ url, timeoutMs })),
    ...[-1, 0.5, Number.NaN, '60' as unknown as number].map((cacheMs) => ({ url, cacheMs })),
  ]

  for (const options of senseless) {
    t.throws(() => createVerifier(options), {
      name: 'TypeError',
      message: /^(url|timeoutMs|cacheMs): expected/,
    })
    t.notMatch(
      messageOf(() => createVerifier(options)),
      'hunter2',
    )
  }
})

function messageOf(act: () => unknown): string {
  try {
    return String(act())
  } catch (error) {
    return (error as Error).message
  }
}
