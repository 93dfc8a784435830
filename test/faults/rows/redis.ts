import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { isCheck } from '../history.js'
import { startProxy, type TcpProxy } from '../proxy.js'
import type { Round } from '../round.js'
import { fault, type Scenario } from '../scenario.js'
import { createRedisServer, type RestartableStore } from '../stores.js'

/** The longest median of a refusal that waits for nothing, in milliseconds. */
const AT_ONCE_MS = 5

export const redisRows: Scenario[] = [
  fault({
    number: 2,
    name: 'Redis killed',
    inject: ({ world }) => world.redis.kill(),
    heal: ({ world }) => world.redis.start(),
    also: refusedAtOnce,
  }),

  fault({
    number: 3,
    name: 'Redis hangs',
    lastsMs: 3000,
    inject: async ({ world }) => world.redis.hang(),
    heal: async ({ world }) => world.redis.resume(),
    also: staysAlive,
  }),

  fault({
    number: 4,
    name: 'Redis restarts empty, recovery on',
    lastsMs: 200,
    inject: ({ world }) => world.redis.kill(),
    heal: ({ world }) => world.redis.start(),
  }),

  fault({
    number: 4,
    name: 'Redis restarts empty, recovery off',
    lastsMs: 200,
    world: { recovery: 'off' },
    refusalsCount: false,
    inject: ({ world }) => world.redis.kill(),
    heal: ({ world }) => world.redis.start(),
  }),

  ...(['database', 'off'] as const).map((recovery) =>
    fault({
      number: 5,
      name: `Redis restored from an old dump, recovery ${recovery === 'off' ? 'off' : 'on'}`,
      world: { recovery },
      refusalsCount: recovery !== 'off',
      lastsMs: 200,
      inject: async ({ world }) => {
        await world.redisClient.save()
        // These operations are not in the dump.
        await sleep(1000)
        await world.redis.kill()
      },
      heal: ({ world }) => world.redis.start(),
    }),
  ),

  staleReplica(),

  fault({
    number: 7,
    name: 'Redis demoted under its clients',
    inject: async ({ world }) => void (await world.redisClient.replicaof('127.0.0.1', '1')),
    heal: async ({ world }) => void (await world.redisClient.replicaof('NO', 'ONE')),
    touched: refusedWrites,
    also: readsGoOn,
  }),

  fault({
    number: 8,
    name: 'Redis out of memory',
    inject: async ({ world }) => void (await world.redisClient.config('SET', 'maxmemory', '1mb')),
    heal: async ({ world }) => void (await world.redisClient.config('SET', 'maxmemory', '0')),
    touched: refusedWrites,
    also: readsGoOn,
  }),

  fault({
    number: 9,
    name: 'Redis loading',
    lastsMs: 0,
    inject: async ({ world }) => {
      const filler = Array.from({ length: 4000 }, (_, index) => [`filler:${index}`, 'x']).flat()
      await world.redisClient.mset(...filler)
      await world.redisClient.save()
      await world.redis.kill()
    },
    // Loading takes half a millisecond per key, and Redis answers LOADING meanwhile. It counts as
    // started once it has loaded.
    heal: ({ world }) =>
      world.redis.start(['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024']),
  }),

  fault({
    number: 10,
    name: 'Redis forgets its scripts',
    inject: async ({ world }) => void (await world.redisClient.script('FLUSH')),
    touched: ({ load, from }) =>
      load.history.filter(({ kind, invoked }) => kind === 'login' && invoked > from).length,
    also: ({ load, from }) =>
      load.history.some(({ outcome, invoked }) => outcome === 'unavailable' && invoked > from)
        ? ['a forgotten script was noticed']
        : [],
  }),
]

/**
 * Row 6: the replica that takes over has missed the last writes. The instances reach Redis through
 * a proxy.
 */
function staleReplica(): Scenario {
  const replicas = new WeakMap<Round['world'], { proxy: TcpProxy; replica: RestartableStore }>()
  let starting: { proxy: TcpProxy; replica: RestartableStore } | undefined
  return fault({
    number: 6,
    name: 'Redis fails over to a stale replica',
    lastsMs: 0,
    world: {
      through: async ({ postgres, redis }) => {
        const proxy = await startProxy(redis.port)
        const replica = await createRedisServer()
        await replica.start(['--replicaof', '127.0.0.1', String(redis.port)])
        starting = { proxy, replica }
        return { databaseUrl: postgres.url, redisUrl: `redis://127.0.0.1:${proxy.port}` }
      },
    },
    inject: async ({ world }) => {
      if (!starting) throw new Error('there is no replica')
      replicas.set(world, starting)
      const { replica } = starting
      const admin = new Redis(replica.url)
      await untilInSync(admin)
      replica.hang()
      // The master acknowledges these writes, and the replica never sees them.
      await sleep(800)
      await world.redis.kill()
      replica.resume()
      await admin.replicaof('NO', 'ONE')
      admin.disconnect()
    },
    heal: async ({ world }) => {
      const parts = replicas.get(world)
      parts?.proxy.retarget(parts.replica.port)
      parts?.proxy.cut()
      if (parts) world.redisClient.options.port = parts.replica.port
    },
    also: async ({ world }) => {
      const parts = replicas.get(world)
      parts?.proxy.close()
      await parts?.replica.dispose()
      return []
    },
  })
}

async function untilInSync(replica: Redis): Promise<void> {
  while (!/master_link_status:up/.test(await replica.info('replication'))) await sleep(20)
}

/** Logins and logouts that were refused with 503 while the fault lasted. */
function refusedWrites({ load, from, to }: Round): number {
  return load.history.filter(
    ({ kind, outcome, invoked, returned }) =>
      (kind === 'login' || kind === 'logout') && outcome === 'unavailable' && invoked < to && returned > from,
  ).length
}

/** Checks need no write, so none is refused. */
function readsGoOn({ load, from, to }: Round): string[] {
  const refused = load.history.filter(
    (operation) =>
      isCheck(operation) &&
      operation.outcome === 'unavailable' &&
      operation.invoked > from &&
      operation.invoked < to,
  )
  return refused.length > 0 ? [`${refused.length} questions were refused although reading works`] : []
}

export function refusedAtOnce({ load, from, to }: Round): string[] {
  const times = load.history
    .filter(
      ({ outcome, kind, invoked }) =>
        outcome === 'unavailable' && kind !== 'login' && invoked > from && invoked < to,
    )
    .map(({ invoked, returned }) => returned - invoked)
    .sort((a, b) => a - b)
  const median = times[times.length >> 1] ?? 0
  return median > AT_ONCE_MS
    ? [`a refusal took ${median.toFixed(1)} ms at the median, not ${AT_ONCE_MS} ms`]
    : []
}

/** A process must not end because its store is away. */
async function staysAlive({ world }: Round): Promise<string[]> {
  const ended = world.instances.filter(({ pid }) => !isRunning(pid))
  return ended.map(({ url }) => `${url} has ended`)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
