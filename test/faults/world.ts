import { readdirSync, readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { migrate } from '../../src/stores/postgres/migrations.js'
import { clientInserter, SECRET, userInserter } from '../helper.js'
import { freePort, until } from '../support/servers.js'
import { CLI, type Running, spawnProgram } from '../support/service-process.js'
import { GATEWAY, type User } from './clients.js'
import { createPostgresServer, createRedisServer, type RestartableStore } from './stores.js'

export interface Instance extends Running {
  url: string
  /** Bytes of memory and open descriptors now; undefined once it has ended. */
  usage(): Usage | undefined
}

export interface Usage {
  rss: number
  descriptors: number
}

export interface World {
  postgres: RestartableStore
  redis: RestartableStore
  instances: Instance[]
  users: User[]
  /** Directly to the stores, past the service: for checks and for faults. */
  sql: postgres.Sql
  redisClient: Redis
  /** Starts one more instance. A row may put it in the place of another. */
  startInstance(options?: InstanceOptions): Promise<Instance>
  dispose(): Promise<void>
}

export interface InstanceOptions {
  env?: NodeJS.ProcessEnv
  /**
   * Arguments of Node before the program, such as a memory limit or a module that injects a fault.
   */
  nodeArgs?: string[]
  /** A program that runs Node, such as faketime. */
  under?: string[]
}

export interface WorldOptions {
  instances?: number
  users?: number
  recovery?: 'off' | 'database'
  instance?: InstanceOptions
  postgresArgs?: string[]
  redisArgs?: string[]
  /** The built command line to run, if not the usual one: that of a mutant. */
  cli?: string
  /** Where the instances reach the stores, if not directly: behind a proxy. */
  through?: (stores: { postgres: RestartableStore; redis: RestartableStore }) => Promise<StoreUrls>
}

export interface StoreUrls {
  databaseUrl: string
  redisUrl: string
}

/**
 * Starts several instances of the built service on stores of their own. All of them can be killed
 * and hung.
 */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { instances: count = 3, users: userCount = 20, recovery = 'database', cli = CLI } = options
  const [postgresServer, redis] = await Promise.all([
    createPostgresServer(options.postgresArgs),
    createRedisServer(options.redisArgs),
  ])
  await Promise.all([postgresServer.start(), redis.start()])
  await migrate({ url: postgresServer.url })
  const sql = postgres(postgresServer.url, {
    max: 2,
    connect_timeout: 1,
    backoff: false,
    onnotice: () => undefined,
  })
  const redisClient = new Redis(redis.url, { maxRetriesPerRequest: null })
  redisClient.on('error', () => undefined)
  const users = await addUsers(sql, userCount)
  await clientInserter(sql)(['introspect', 'revoke'], GATEWAY)
  const through = await options.through?.({ postgres: postgresServer, redis })
  const urls = through ?? { databaseUrl: postgresServer.url, redisUrl: redis.url }
  const instances: Instance[] = []
  const started: Instance[] = []
  const world: World = {
    postgres: postgresServer,
    redis,
    instances,
    users,
    sql,
    redisClient,
    startInstance,
    dispose,
  }
  try {
    instances.push(
      ...(await Promise.all(Array.from({ length: count }, () => startInstance(options.instance)))),
    )
    return world
  } catch (error) {
    await dispose()
    throw error
  }

  async function startInstance({
    env = {},
    nodeArgs = [],
    under = [],
  }: InstanceOptions = {}): Promise<Instance> {
    const port = await freePort()
    const [program = '', ...args] = [...under, process.execPath, ...nodeArgs, cli, 'serve']
    const running = spawnProgram(program, args, {
      env: {
        DATABASE_URL: urls.databaseUrl,
        REDIS_URL: urls.redisUrl,
        JWT_SECRET: SECRET,
        BCRYPT_COST: '10',
        SESSION_RECOVERY: recovery,
        LOGIN_MAX_FAILURES: '100',
        DOCS: 'off',
        LOG_LEVEL: 'warn',
        PORT: String(port),
        ...env,
      },
    })
    const url = `http://127.0.0.1:${port}`
    const instance = { ...running, url, usage: () => usageOf(running.pid) }
    started.push(instance)
    await Promise.race([
      until(() => alive(url), { withinMs: 20_000 }),
      running.exited.then(({ stderr }) => {
        throw new Error(`an instance ended before it listened: ${stderr}`)
      }),
    ])
    return instance
  }

  async function dispose(): Promise<void> {
    await Promise.all(started.map((instance) => instance.stop('SIGKILL')))
    redisClient.disconnect()
    await sql.end({ timeout: 0 })
    await Promise.all([postgresServer.dispose(), redis.dispose()])
  }
}

async function addUsers(sql: postgres.Sql, count: number): Promise<User[]> {
  const insert = userInserter(sql)
  const mobiles = Array.from({ length: count }, (_, index) => `+86138001${String(10_000 + index)}`)
  return Promise.all(mobiles.map(async (mobile) => ({ mobile, id: await insert({ mobile }) })))
}

async function alive(url: string): Promise<void> {
  const { status } = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(1000) })
  if (status !== 200) throw new Error(`livez: ${status}`)
}

function usageOf(pid: number): Usage | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return { rss: Number(kilobytes) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length }
  } catch {
    return undefined
  }
}
