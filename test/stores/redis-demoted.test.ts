import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisSessionRegistry } from '../../src/stores/redis/session-registry.js'
import type { SessionRegistry } from '../../src/stores/session-registry.js'
import { startProxy } from '../faults/proxy.js'
import { silent } from '../helper.js'
import { connectToRedis } from '../support/redis-connections.js'
import { startRedis, until } from '../support/servers.js'

const TOMORROW = Date.now() + 86_400_000

t.test('a Redis that was demoted and is the master again keeps its connection for reading', async (t) => {
  const { registry, reader, admins } = await startDemoted(t)
  let closed = 0
  reader.on('close', () => closed++)

  await admins.first.replicaof('NO', 'ONE')
  await untilWritten(registry)

  t.equal(closed, 0)
  t.same(await registry.read([1]), ['2.b'])
})

t.test('a demoted Redis is left for the new master by the connection for reading too', async (t) => {
  const { registry, proxy, second } = await startDemoted(t)

  proxy.retarget(second.port)
  await untilWritten(registry)

  await until(async () => assert.deepEqual(await registry.read([1]), ['2.b']))
})

/** Two servers, of which the first, where both connections are, has just refused a write. */
async function startDemoted(t: Test) {
  const [first, second] = await Promise.all([startRedis(), startRedis()])
  const proxy = await startProxy(first.port)
  const redis = await connectToRedis(t, proxy.port)
  const admins = { first: new Redis(first.url), second: new Redis(second.url) }
  t.teardown(async () => {
    for (const admin of Object.values(admins)) admin.disconnect()
    proxy.close()
    await Promise.all([first.stop(), second.stop()])
  })
  const registry = createRedisSessionRegistry({ redis, log: silent() })
  await registry.join(1, { stamp: 1, sessionId: 'a' }, TOMORROW)
  await admins.first.replicaof('127.0.0.1', String(second.port))
  await until(() => assert.rejects(registry.join(1, { stamp: 1, sessionId: 'a' }, TOMORROW)))
  return { registry, reader: redis.reader, admins, proxy, second }
}

function untilWritten(registry: SessionRegistry): Promise<unknown> {
  return until(() => registry.join(1, { stamp: 2, sessionId: 'b' }, TOMORROW))
}
