import { spawn } from 'node:child_process'
import { chownSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import {
  end,
  endWithThisProcess,
  freePort,
  reachable,
  requireProgram,
  type Server,
  startRedis,
  unprivilegedUser,
  until,
} from './servers.js'

/** Starts a PgBouncer that gives every transaction one of few connections to the database of that URL. */
export async function startPgBouncer(databaseUrl: string, { poolSize = 3 } = {}): Promise<Server> {
  const { hostname, port: databasePort, pathname, username } = new URL(databaseUrl)
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'auth-pgbouncer-'))
  const as = unprivilegedUser()
  if (as) chownSync(directory, as.uid, as.gid)
  const [users, settings] = [join(directory, 'users.txt'), join(directory, 'pgbouncer.ini')]
  writeFileSync(users, `"${username}" ""\n`)
  writeFileSync(
    settings,
    `[databases]
pooled = host=${hostname} port=${databasePort} dbname=${pathname.slice(1)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 200
admin_users = postgres
`,
  )
  const child = endWithThisProcess(
    spawn(requireProgram('pgbouncer'), [settings], { stdio: 'ignore', cwd: directory, ...as }),
  )
  const url = `postgres://${username}@127.0.0.1:${port}/pooled`
  await until(async () => {
    const sql = postgres(url, { max: 1, connect_timeout: 1, prepare: false })
    await sql`select 1`.finally(() => sql.end({ timeout: 0 }))
  })
  return { url, port, process: child, stop: () => end(child, directory, 'SIGINT') }
}

export interface WatchedRedis {
  /** Addresses of the sentinels, comma-separated. */
  sentinels: string
  name: string
  /** Kills the master without warning: the sentinels promote the replica. */
  killMaster(): Promise<void>
  /** The port of the server that the sentinels take for the master. */
  masterPort(): Promise<number>
  stop(): Promise<void>
}

/** Starts a Redis, a replica of it and three sentinels that watch both. */
export async function startSentinels(): Promise<WatchedRedis> {
  const name = 'sessions'
  const master = await startRedis()
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] })
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(name, master.port)))
  const [first] = sentinels
  const admin = new Redis({ port: first?.port ?? 0 })
  const about = new Redis(replica.url)
  await until(async () => {
    // Until they know of each other and of the replica, nobody would be promoted.
    const [known] = [await admin.call('SENTINEL', 'MASTER', name)] as string[][]
    const fact = (wanted: string) => known?.[known.indexOf(wanted) + 1]
    const inSync = /master_link_status:up/.test(await about.info('replication'))
    if (fact('num-slaves') !== '1' || fact('num-other-sentinels') !== '2' || !inSync)
      throw new Error('not ready')
  })
  about.disconnect()

  return {
    sentinels: sentinels.map(({ port }) => `redis://127.0.0.1:${port}`).join(),
    name,
    killMaster: async () => void master.process.kill('SIGKILL'),
    masterPort,
    stop: async () => {
      admin.disconnect()
      await Promise.all([...sentinels, master, replica].map((server) => server.stop()))
    },
  }

  async function masterPort(): Promise<number> {
    const [, port] = (await admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as string[]
    return Number(port)
  }
}

async function startSentinel(name: string, masterPort: number): Promise<Server> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'auth-sentinel-'))
  const settings = join(directory, 'sentinel.conf')
  writeFileSync(
    settings,
    `bind 127.0.0.1
port ${port}
dir ${directory}
sentinel monitor ${name} 127.0.0.1 ${masterPort} 2
sentinel down-after-milliseconds ${name} 500
sentinel failover-timeout ${name} 3000
`,
  )
  const child = endWithThisProcess(
    spawn(requireProgram('redis-server'), [settings, '--sentinel'], { stdio: 'ignore' }),
  )
  await until(() => reachable(port))
  return { url: `redis://127.0.0.1:${port}`, port, process: child, stop: () => end(child, directory) }
}
