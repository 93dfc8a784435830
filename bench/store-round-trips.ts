/**
 * `npx tsx bench/store-round-trips.ts`: what one batch of a check costs this process, in
 * microseconds of a core: asking each store about 31 users, and both. PING is the least that a
 * round trip of ioredis costs. docs/performance.md reckons with it.
 */
import { loadConfig } from '../src/config/config.js'
import { createRedis, reachRedis } from '../src/stores/redis/redis.js'
import { createRedisSessionRegistry } from '../src/stores/redis/session-registry.js'
import { postgresStores } from '../src/stores/stores.js'
import { markdownTable } from '../test/support/markdown-table.js'
import { LOGGING_IN, USERS } from './measures.js'
import { machine } from './report.js'
import { createWorld } from './world.js'

const USERS_OF_A_BATCH = 31

/** As many as are on their way at once when 64 connections ask. */
const AT_ONCE = 2

const WARM_UP = 4000
const BATCHES = 12_000

const world = await createWorld()
await world.growTo(LOGGING_IN + USERS)
const { stores } = loadConfig(world.env)
if (stores.kind !== 'servers') throw new Error('both stores are set, and are not used')
const log = { info: () => undefined, warn: () => undefined }
const redis = createRedis(stores.redis)
await reachRedis(redis, stores.redis)
const registry = createRedisSessionRegistry({ redis, log })
const { accounts, close } = postgresStores(stores.database, log)
let asked = 0
const users = () => Array.from({ length: USERS_OF_A_BATCH }, () => LOGGING_IN + 1 + (asked++ % USERS))

const works: Record<string, () => Promise<unknown>> = {
  'PING, by ioredis': () => redis.reader.ping(),
  Redis: () => registry.read(users()),
  PostgreSQL: () => accounts.readEntries(users()),
  both: () => {
    const userIds = users()
    return Promise.all([accounts.readEntries(userIds), registry.read(userIds)])
  },
}
const rows: string[][] = []
for (const [name, work] of Object.entries(works)) {
  await cost(work, WARM_UP)
  const each = await cost(work, BATCHES)
  rows.push([name, each.toFixed(0), (each / USERS_OF_A_BATCH).toFixed(1)])
}
console.log(markdownTable(['asked', 'µs per batch', 'µs per check'], rows).join('\n'))
console.log(`\n${machine()}`)
redis.reader.disconnect()
redis.writer.disconnect()
await close()
await world.stop()

async function cost(work: () => Promise<unknown>, times: number): Promise<number> {
  const before = process.cpuUsage()
  let left = times
  const lane = async () => {
    while (left-- > 0) await work()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / times
}
