import assert from 'node:assert'
import t from 'tap'
import { build, claimsOf } from '../helper.js'
import { answerJson, LIVE, verifierFor } from '../support/client.js'
import { until } from '../support/servers.js'
import { answerGate, standIn, watchTraffic } from '../support/stand-in.js'

t.test('cacheMs', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const traffic = watchTraffic(service.app.server)
  const asked = async (act: () => Promise<unknown>) => {
    const before = traffic.requests
    await act()
    return traffic.requests - before
  }

  t.test('asks the service for every call where it is not set', async (t) => {
    const { verify } = verifierFor(t, { url: service.url })
    const token = await service.login()

    for (let time = 0; time < 3; time++) t.equal(await asked(() => verify(token)), 1)
  })

  t.test('accepts a token again for that time without asking, also after a logout', async (t) => {
    const cacheMs = 3000
    const { verify } = verifierFor(t, { url: service.url, cacheMs })
    const token = await service.login()
    const started = performance.now()
    await verify(token)
    const known = performance.now()
    await service.logout(token)

    // On a machine that was too slow this shows nothing.
    if (performance.now() - started < cacheMs / 2) {
      t.equal(await asked(async () => t.match(await verify(token), { userId })), 0)
    }
    await new Promise((resolve) => setTimeout(resolve, known + cacheMs - performance.now()))
    await t.rejects(verify(token), { name: 'TokenRefused', error: 'session_ended' })
  })

  t.test('counts that time from the question, however late the answer comes', async (t) => {
    const gate = await answerGate(t, service.url)
    const { verify } = verifierFor(t, { url: gate.url, cacheMs: 1000 })
    const token = await service.login()
    gate.hold()
    const first = verify(token)
    await until(() => assert.equal(gate.kept(), 1))
    await new Promise((resolve) => setTimeout(resolve, 1000))
    gate.release()
    await first

    t.equal(await asked(() => verify(token)), 1)
  })

  t.test('gives each call a session of its own', async (t) => {
    const { verify } = verifierFor(t, { url: service.url, cacheMs: 60_000 })
    const token = await service.login()
    for (let time = 0; time < 3; time++) {
      const session = await verify(token)
      t.equal(session.userId, userId)
      session.userId = 0
    }
  })

  t.test('does not remember a refusal', async (t) => {
    const { verify } = verifierFor(t, { url: service.url, cacheMs: 60_000 })
    const token = await service.login()
    await service.logout(token)

    for (let time = 0; time < 2; time++) t.equal(await asked(() => t.rejects(verify(token))), 1)
  })
})

t.test('TokenRefused token_expired from exp on, although cacheMs is longer', async (t) => {
  const service = await build(t, { env: { TOKEN_TTL_SECONDS: '2' } })
  await service.addUser()
  const { verify } = verifierFor(t, { url: service.url, cacheMs: 60_000 })
  const token = await service.login()
  await verify(token)

  await new Promise((resolve) => setTimeout(resolve, claimsOf(token).exp * 1000 - Date.now()))

  await t.rejects(verify(token), { name: 'TokenRefused', error: 'token_expired' })
})

t.test('remembers the 10,000 tokens that were used last', async (t) => {
  const { url, traffic } = await standIn(t, (request, response) => {
    request.resume()
    answerJson(response, 200, LIVE)
  })
  const { verify } = verifierFor(t, { url, cacheMs: 600_000 })
  await verify('often')
  await verify('once')

  for (let first = 0; first < 9999; first += 99) {
    await Promise.all(Array.from({ length: 99 }, (_, index) => verify(`token${first + index}`)))
    await verify('often')
  }
  t.equal(traffic.requests, 2 + 9999)

  await verify('often')
  await verify('token0')
  await verify('token9998')
  t.equal(traffic.requests, 2 + 9999, 'these are remembered')
  await verify('once')
  t.equal(traffic.requests, 2 + 9999 + 1, 'this one has gone')
})
