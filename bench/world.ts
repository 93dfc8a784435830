import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { loadConfig } from '../src/config/config.js'
import { migrate } from '../src/stores/postgres/migrations.js'
import { closeRedis, createRedis, reachRedis } from '../src/stores/redis/redis.js'
import { createRedisSessionRegistry } from '../src/stores/redis/session-registry.js'
import { GATEWAY } from '../test/faults/clients.js'
import { clientInserter, PASSWORD, SECRET } from '../test/helper.js'
import { startPostgres, startRedis } from '../test/support/servers.js'
import { createSigner } from '../test/support/tokens/signer.js'

const DAY_SECONDS = 86_400

/** The bcrypt hash of PASSWORD at cost 10. */
const HASH = '$2b$10$ranq/8GerTEebPRDWhmvbuSrPTmAWvEwXeQzBUCvjAY1ZtTwQorHi'

/** Concurrent joins while the registry is filled. */
const BATCH = 2000

export type World = Awaited<ReturnType<typeof createWorld>>

/**
 * Stores of the benchmark's own, with users who are all logged in, and their tokens. User ids start
 * at 1.
 */
export async function createWorld() {
  const [database, redis] = await Promise.all([
    startPostgres({ args: ['-c', 'shared_buffers=512MB', '-c', 'max_connections=200'] }),
    startRedis(),
  ])
  await migrate({ url: database.url })
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined })
  await clientInserter(sql)(['introspect'], GATEWAY)
  const redisClient = new Redis(redis.url)
  const stamp = Date.now() - 60_000
  const sign = createSigner(stamp)
  let users = 0

  return {
    env: { DATABASE_URL: database.url, REDIS_URL: redis.url, JWT_SECRET: SECRET, JWT_ISSUER: 'auth-service' },
    users: () => users,
    token: (userId: number) => sign(userId, sessionOf(userId)),
    credentials: (userId: number) => ({ mobile: mobileOf(userId), password: PASSWORD }),
    growTo,
    redisMemory,
    stop,
  }

  /**
   * Adds users, each with a live session, until there are `count`. Calls `progress` with the number
   * of users so far.
   */
  async function growTo(count: number, progress: (users: number) => void = () => undefined): Promise<void> {
    const from = users + 1
    if (count < from) return
    await sql`
      insert into user_login (mobile, password, last_login_stamp, session_id, session_expires_at)
      select '+86' || (13000000000 + id), ${HASH}, ${stamp}::bigint,
             left(translate(encode(sha256(id::text::bytea), 'base64'), '+/', '-_'), ${SESSION_ID_LENGTH}), now() + interval '1 day'
      from generate_series(${from}::bigint, ${count}::bigint) as id order by id`
    await sql`vacuum analyze user_login`

    const { stores } = loadConfig({ DATABASE_URL: database.url, REDIS_URL: redis.url }, { signs: false })
    if (stores.kind !== 'servers') throw new Error('both stores are set, and are not used')
    const connections = createRedis(stores.redis)
    await reachRedis(connections, stores.redis)
    const registry = createRedisSessionRegistry({
      redis: connections,
      log: { info: () => {}, warn: () => {} },
    })
    for (let first = from; first <= count; first += BATCH) {
      const ids = Array.from({ length: Math.min(BATCH, count - first + 1) }, (_, index) => first + index)
      const entry = (id: number) => ({ stamp, sessionId: sessionOf(id) })
      await Promise.all(
        ids.map((id) => registry.join(id, entry(id), Date.now() + DAY_SECONDS * 1000, 10_000)),
      )
      progress(first + ids.length - 1)
    }
    await closeRedis(connections)
    users = count
  }

  /** Bytes that Redis uses now. */
  async function redisMemory(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await redisClient.info('memory'))?.[1])
  }

  async function stop(): Promise<void> {
    redisClient.disconnect()
    await sql.end({ timeout: 1 })
    await Promise.all([database.stop(), redis.stop()])
  }
}

function mobileOf(userId: number): string {
  return `+86${13_000_000_000 + userId}`
}

/**
 * A session id of the service's length. Derived from the user id, so that none has to be stored
 * here.
 */
function sessionOf(userId: number): string {
  return createHash('sha256').update(String(userId)).digest('base64url').slice(0, SESSION_ID_LENGTH)
}

const SESSION_ID_LENGTH = 30
