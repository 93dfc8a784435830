import t from 'tap'
import { build } from '../helper.js'
import { startRedis, until } from '../support/servers.js'

t.test('POST /revoke', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const client = await service.addClient(['revoke'])
  const revoke = (token: string) => service.submit('/revoke', { token }, client)

  t.test('200 without a body; the session ends at once on every instance', async (t) => {
    const other = await build(t, { backends: service.backends })
    const token = await service.login()

    const answer = await revoke(token)

    t.equal(answer.status, 200)
    t.equal(answer.text, '')
    t.equal(answer.headers.get('cache-control'), 'no-store')
    t.match(await other.identify(token), { status: 401, body: { error: 'session_ended' } })
  })

  t.test('logs the user whose session ended and the service client that ended it', async (t) => {
    await revoke(await service.login())

    const { event, user_id, client: by } = service.actions.at(-1) ?? {}
    t.strictSame({ event, user_id, by }, { event: 'session_revoked', user_id: userId, by: client.name })
  })

  t.test('200 for a dead token, a forged one and a malformed one', async (t) => {
    const token = await service.login()
    for (const dead of [token, token, 'x.y.z', `${token}x`, 'a'.repeat(3000)]) {
      const answer = await revoke(dead)
      t.equal(answer.status, 200)
      t.equal(answer.text, '')
    }
  })

  t.test('200 for a superseded token; the newer session lives', async (t) => {
    const older = await service.login()
    const newer = await service.login()

    t.equal((await revoke(older)).status, 200)

    t.equal((await service.identify(newer)).status, 200)
  })

  t.test('400 without a token', async (t) => {
    t.match(await service.submit('/revoke', '', client), { status: 400, body: { error: 'invalid_request' } })
  })

  t.test('503 while Redis is away; a repeated request ends the session', async (t) => {
    const token = await service.login()
    await service.redis.stop()

    const answer = await revoke(token)

    t.match(answer, { status: 503, body: { error: 'temporarily_unavailable' } })
    t.equal(answer.headers.get('retry-after'), '1')
    const { port } = service.redis
    const again = await startRedis({ port })
    t.teardown(() => again.stop())
    await until(async () => {
      const { status } = await revoke(token)
      if (status !== 200) throw new Error(String(status))
    })
    // Reads have a connection of their own, which may reconnect later.
    const { status } = await until(async () => {
      const seen = await service.identify(token)
      if (seen.status === 503) throw new Error('still away')
      return seen
    })
    t.equal(status, 401)
  })
})
