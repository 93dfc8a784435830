import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createMemorySessionRegistry } from '../../src/stores/embedded/session-registry.js'
import { createRedisSessionRegistry } from '../../src/stores/redis/session-registry.js'
import { parseEntry, type RegistryEntry, type SessionRegistry } from '../../src/stores/session-registry.js'
import { silent } from '../helper.js'
import { startRedis } from '../support/servers.js'

const TOMORROW = Date.now() + 86_400_000

t.test('the registry in Redis', async (t) => {
  const server = await startRedis()
  const redis = new Redis(server.url)
  const connections = { reader: redis, writer: redis }
  t.teardown(async () => {
    redis.disconnect()
    await server.stop()
  })

  await behavesAsMaxRegister(t, createRedisSessionRegistry({ redis: connections, log: silent() }))

  t.test('keeps an entry until five minutes after its token has expired', async (t) => {
    const registry = createRedisSessionRegistry({ redis: connections, log: silent() })
    await registry.join(900, { stamp: 1, sessionId: 'a' }, TOMORROW)

    t.equal(await redis.pexpiretime('jwt_token:900'), TOMORROW + 5 * 60_000)
    t.equal(await redis.get('jwt_token:900'), '1.a')
  })

  t.test('treats a raw token of the older system as no entry', async (t) => {
    const registry = createRedisSessionRegistry({ redis: connections, log: silent() })
    await redis.set('jwt_token:901', 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln')

    const [held] = await registry.read([901])
    t.equal(held, 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln')
    t.equal(parseEntry(String(held)), undefined)
    t.equal(await registry.join(901, { stamp: 1, sessionId: 'a' }, TOMORROW), 'held')
  })

  t.test('compares stamps beyond the precision of a double', async (t) => {
    await redis.set('jwt_token:902', '9007199254740993.a')
    const registry = createRedisSessionRegistry({ redis: connections, log: silent() })

    t.equal(await registry.join(902, { stamp: 9007199254740992, sessionId: 'b' }, TOMORROW), 'newer')
    t.equal(await redis.get('jwt_token:902'), '9007199254740993.a')
  })

  t.test('joins an entry after Redis has forgotten the script', async (t) => {
    const registry = createRedisSessionRegistry({ redis: connections, log: silent() })
    await registry.join(903, { stamp: 1, sessionId: 'a' }, TOMORROW)
    await redis.script('FLUSH')

    t.equal(await registry.join(903, { stamp: 2, sessionId: 'b' }, TOMORROW), 'held')
  })
})

t.test('the registry in memory', async (t) => {
  await behavesAsMaxRegister(t, createMemorySessionRegistry())
})

async function behavesAsMaxRegister(t: Test, registry: SessionRegistry) {
  let user = 0
  const joinAll = async (...entries: RegistryEntry[]) => {
    user++
    const results = []
    for (const entry of entries) results.push(await registry.join(user, entry, TOMORROW))
    const [held] = await registry.read([user])
    return { results, held: parseEntry(String(held)) }
  }
  const session = (stamp: number, sessionId: string): RegistryEntry => ({ stamp, sessionId })
  const tombstone = (stamp: number): RegistryEntry => ({ stamp, sessionId: null })

  t.test('reads null for an unknown user', async (t) => {
    t.strictSame(await registry.read([1_000_000]), [null])
    await t.resolves(registry.probe())
  })

  t.test('keeps the entry with the larger stamp, in either order', async (t) => {
    t.strictSame(await joinAll(session(9, 'a'), session(10, 'b')), {
      results: ['held', 'held'],
      held: session(10, 'b'),
    })
    t.strictSame(await joinAll(session(10, 'b'), session(9, 'a')), {
      results: ['held', 'newer'],
      held: session(10, 'b'),
    })
    t.strictSame(await joinAll(tombstone(10), session(9, 'a')), {
      results: ['held', 'newer'],
      held: tombstone(10),
    })
  })

  t.test('keeps the tombstone of two entries with equal stamps, in either order', async (t) => {
    t.strictSame(await joinAll(session(5, 'a'), tombstone(5)), {
      results: ['held', 'held'],
      held: tombstone(5),
    })
    t.strictSame(await joinAll(tombstone(5), session(5, 'a')), {
      results: ['held', 'newer'],
      held: tombstone(5),
    })
  })

  t.test('answers collision for an equal stamp with another session, and changes nothing', async (t) => {
    t.strictSame(await joinAll(session(5, 'a'), session(5, 'b')), {
      results: ['held', 'collision'],
      held: session(5, 'a'),
    })
  })

  t.test('answers held for the same entry again', async (t) => {
    t.strictSame(await joinAll(session(5, 'a'), session(5, 'a')), {
      results: ['held', 'held'],
      held: session(5, 'a'),
    })
    t.strictSame(await joinAll(tombstone(5), tombstone(5)), { results: ['held', 'held'], held: tombstone(5) })
  })

  t.test('ends in the same entry for every order of the same writes', async (t) => {
    const writes = [session(1, 'a'), session(2, 'b'), tombstone(2), session(3, 'c'), tombstone(1)]
    const ends = new Set<string>()
    for (const order of permutations(writes)) ends.add(JSON.stringify((await joinAll(...order)).held))

    t.strictSame([...ends], [JSON.stringify(session(3, 'c'))])
  })

  t.test('keeps an entry at least as long as the one that it replaces', async (t) => {
    const longAgo = Date.now() - 6 * 60_000
    await registry.join(1_000_002, session(1, 'a'), TOMORROW)
    await registry.join(1_000_002, session(2, 'b'), longAgo)

    t.strictSame(await registry.read([1_000_000, 1_000_002]), [null, '2.b'], 'in their order')
  })

  t.test('forgets an entry that expired more than five minutes ago', async (t) => {
    await registry.join(1_000_001, session(1, 'a'), Date.now() - 6 * 60_000)

    t.strictSame(await registry.read([1_000_001]), [null])
  })
}

function permutations<T>(items: T[]): T[][] {
  if (items.length <= 1) return [items]
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  )
}
