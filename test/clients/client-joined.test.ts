import assert from 'node:assert'
import t from 'tap'
import { build } from '../helper.js'
import { verifierFor } from '../support/client.js'
import { until } from '../support/servers.js'
import { answerGate, watchTraffic } from '../support/stand-in.js'

t.test('calls about one token', async (t) => {
  const service = await build(t)
  await service.addUser()
  const traffic = watchTraffic(service.app.server)

  t.test('share one request where they come together', async (t) => {
    const { verify } = verifierFor(t, { url: service.url })
    const token = await service.login()
    const before = traffic.requests

    const sessions = await Promise.all(Array.from({ length: 50 }, () => verify(token)))

    t.equal(traffic.requests - before, 1)
    t.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 1)
  })

  t.test(
    'share the next request, never the answer of the one under way, where they come later',
    async (t) => {
      const gate = await answerGate(t, service.url)
      const { verify } = verifierFor(t, { url: gate.url })
      const token = await service.login()
      gate.hold()
      const before = traffic.requests
      const early = [verify(token), verify(token)]
      await until(() => assert.equal(gate.kept(), 1))

      // The answer, 200, is on its way: the logout and the calls below come after it.
      t.equal((await service.logout(token)).status, 200)
      const late = Array.from({ length: 50 }, () => verify(token))
      const others = Promise.allSettled(late)
      gate.release()

      for (const session of await Promise.all(early)) t.ok(session)
      for (const answer of await others) t.match(answer, { reason: { error: 'session_ended' } })
      t.equal(traffic.requests - before, 1 + 1 + 1, 'the early ones, the logout, the late ones')
    },
  )

  t.test('ask again where the request before them failed', async (t) => {
    const gate = await answerGate(t, service.url)
    const { verify } = verifierFor(t, { url: gate.url })
    const token = await service.login()
    gate.hold()
    const early = t.rejects(verify(token), { name: 'ServiceUnavailable', reason: /ECONNRESET/ })
    await until(() => assert.equal(gate.kept(), 1))

    const late = verify(token)
    gate.cut()

    await early
    t.ok(await late)
  })

  t.test('are refused where they begin after a logout was answered', async (t) => {
    const { verify } = verifierFor(t, { url: service.url })
    const seen = { accepted: 0, refused: 0 }
    for (let round = 0; round < 10; round++) {
      const token = await service.login()
      let isLoggedOut = false
      const client = async () => {
        for (let after = 0; after < 5; ) {
          const mustBeRefused = isLoggedOut
          if (mustBeRefused) after++
          const error = await verify(token).then(
            () => undefined,
            (error) => error.error,
          )
          seen[error ? 'refused' : 'accepted']++
          if (mustBeRefused && error !== 'session_ended') t.fail(`${error} after the logout`)
        }
      }
      const clients = Array.from({ length: 8 }, client)
      await service.logout(token)
      isLoggedOut = true
      await Promise.all(clients)
    }

    t.ok(seen.accepted > 0, `${seen.accepted} accepted`)
    t.ok(seen.refused >= 10 * 8 * 5, `${seen.refused} refused`)
  })
})

t.test('calls about different tokens make requests of their own', async (t) => {
  const service = await build(t)
  await service.addUser()
  await service.addUser({ mobile: '+8613800138001' })
  const traffic = watchTraffic(service.app.server)
  const { verify } = verifierFor(t, { url: service.url })
  const tokens = [await service.login(), await service.login({ mobile: '+8613800138001' })]
  const before = traffic.requests

  const sessions = await Promise.all([...tokens, ...tokens].map(verify))

  t.equal(traffic.requests - before, 2)
  t.strictSame(
    sessions.slice(0, 2).map(({ userId }) => userId),
    sessions.slice(2).map(({ userId }) => userId),
  )
  t.not(sessions[0]?.userId, sessions[1]?.userId)
})
