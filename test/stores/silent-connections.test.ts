import assert from 'node:assert/strict'
import t, { type Test } from 'tap'
import { createLender } from '../../src/stores/postgres/connections.js'
import { createRedisSessionRegistry } from '../../src/stores/redis/session-registry.js'
import { postgresStores } from '../../src/stores/stores.js'
import { startProxy } from '../faults/proxy.js'
import { silent, startBackends, userInserter } from '../helper.js'
import { connectToRedis } from '../support/redis-connections.js'
import { startRedis, until } from '../support/servers.js'

/** Until answers have to be right again, in milliseconds. */
const RECOVERY_MS = 1000

const TOMORROW = Date.now() + 86_400_000

t.test('right again within a second after a firewall forgot all idle connections', async (t) => {
  t.test('to PostgreSQL, for checks and for logins', async (t) => {
    const { databaseUrl, sql } = await startBackends(t)
    const user = await userInserter(sql)({ mobile: '+8613900000001' })
    const proxy = await startProxy(Number(new URL(databaseUrl).port))
    const url = databaseUrl.replace(/:\d+\//, `:${proxy.port}/`)
    const { accounts, close } = postgresStores({ url }, silent())
    t.teardown(async () => {
      proxy.close()
      await close()
    })
    await Promise.all([
      accounts.readEntries([user]),
      ...Array.from({ length: 9 }, () => accounts.findSession(user)),
    ])
    assert.equal(proxy.connected(), 10)

    proxy.forget()

    await rightAgain(t, () => accounts.findSession(user))
    for (let time = 0; time < 20; time++) {
      await Promise.all([accounts.findSession(user), accounts.readEntries([user])])
    }
  })

  t.test('to Redis, for checks and for logins', async (t) => {
    const server = await startRedis()
    const proxy = await startProxy(server.port)
    const redis = await connectToRedis(t, proxy.port)
    t.teardown(async () => {
      proxy.close()
      await server.stop()
    })
    const registry = createRedisSessionRegistry({ redis, log: silent() })
    const join = () => registry.join(1, { stamp: 1, sessionId: 'a' }, TOMORROW)
    await join()

    proxy.forget()

    await rightAgain(t, () => registry.read([1]))
    await until(join, { withinMs: 100 })
  })
})

t.test('closes connections that were not used lately, except one', async (t) => {
  const dropped: number[] = []
  const opened: number[] = []
  const lender = createLender(
    () => {
      const place = opened.length
      opened.push(place)
      return {
        client: { unsafe: () => assert.fail('no statement') },
        ask: <T>(work: () => Promise<T>) => work(),
        dropIdle: () => void dropped.push(place),
        close: async () => undefined,
      }
    },
    { most: 9, idleMs: 20 },
  )
  t.teardown(lender.close)
  const held = Array.from({ length: 4 }, () => {
    let giveBack = () => {}
    const done = lender.lend(() => new Promise<void>((resolve) => (giveBack = resolve)), 1000)
    return { giveBack: () => giveBack(), done }
  })
  await new Promise(setImmediate)
  for (const { giveBack } of held) giveBack()
  await Promise.all(held.map(({ done }) => done))

  await until(() => assert.deepEqual([...new Set(dropped)].sort(), [0, 1, 2]))
})

/** Asks until there is an answer, which must come in time. */
async function rightAgain(t: Test, ask: () => Promise<unknown>): Promise<void> {
  const began = performance.now()
  await t.rejects(ask(), { message: /try again/ })
  await until(ask)
  const ms = performance.now() - began
  t.ok(ms < RECOVERY_MS, `after ${Math.round(ms)} ms`)
}
