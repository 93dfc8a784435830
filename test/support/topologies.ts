import { spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import type { Test } from 'tap'
import type { Certificate } from './certificates.js'
import {
  end,
  endWithThisProcess,
  freePort,
  reachable,
  requireProgram,
  type Server,
  startPostgres,
  startRedis,
  unprivilegedUser,
  until,
} from './servers.js'
import { temporaryDirectory } from './service-process.js'

/** Starts a PgBouncer before the database of this URL. */
export async function startPgBouncer(
  databaseUrl: string,
  { poolSize = 3, mode = 'transaction' as 'transaction' | 'session' } = {},
): Promise<Server> {
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
pool_mode = ${mode}
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

/** Settings that make Redis servers speak only TLS, also among themselves. */
export interface TlsSettings extends Certificate {
  /** The authority whose certificates they trust. */
  authority: string
}

function overTls({ certificate, key, authority }: TlsSettings, port: number) {
  return {
    port: '0',
    'tls-port': String(port),
    'tls-cert-file': certificate,
    'tls-key-file': key,
    'tls-ca-cert-file': authority,
    'tls-auth-clients': 'no',
    'tls-replication': 'yes',
  }
}

/** Starts a Redis that speaks TLS on its only port. */
export async function startRedisWithTls(
  tls: TlsSettings,
  settings: Record<string, string> = {},
): Promise<Server> {
  const port = await freePort()
  return startRedis({ port, args: argsOf({ ...overTls(tls, port), ...settings }) })
}

function argsOf(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
}

/** A PostgreSQL in which all roles except the superuser need a password. */
export async function startPostgresWithPasswords(t: Test, tls?: Certificate): Promise<Server> {
  const directory = temporaryDirectory()
  const rules = join(directory, 'hba.conf')
  writeFileSync(rules, 'host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n')
  // The server runs as another user than the owner of the directory.
  chmodSync(directory, 0o755)
  const settings = [
    `hba_file=${rules}`,
    ...(tls ? ['ssl=on', `ssl_key_file=${tls.key}`, `ssl_cert_file=${tls.certificate}`] : []),
  ]
  const server = await startPostgres({ args: settings.flatMap((setting) => ['-c', setting]) })
  t.teardown(() => server.stop())
  return server
}

export interface WatchedRedis {
  /** Ports of the sentinels. */
  ports: number[]
  /** Addresses of the sentinels, comma-separated. */
  sentinels: string
  name: string
  /** Kills the master without warning: the sentinels promote the replica. */
  killMaster(): Promise<void>
  /** The port of the server that the sentinels call the master. */
  masterPort(): Promise<number>
  /** Makes the first sentinel fall silent. */
  hangSentinel(): void
  stop(): Promise<void>
}

interface Watched {
  tls?: TlsSettings
  password?: string
  /** What the sentinels themselves ask for. */
  sentinelPassword?: string
  /** Gives the port that a server announces instead of its own. */
  announce?: (port: number) => Promise<number> | number
}

/** Starts a Redis, a replica of it and three sentinels that watch both. */
export async function startSentinels({
  tls,
  password,
  sentinelPassword,
  announce = (port) => port,
}: Watched = {}): Promise<WatchedRedis> {
  const name = 'sessions'
  const ports = await Promise.all([freePort(), freePort()])
  const [masterAt, replicaAt] = await Promise.all(ports.map(announce))
  const common = (port: number) => ({
    ...(tls && overTls(tls, port)),
    ...(password && { requirepass: password, masterauth: password }),
  })
  const startMember = (port = 0, settings: Record<string, string> = {}) =>
    startRedis({ port, args: argsOf({ ...common(port), ...settings }) })
  const master = await startMember(ports[0])
  const replica = await startMember(ports[1], {
    replicaof: `127.0.0.1 ${masterAt}`,
    'replica-announce-port': String(replicaAt),
  })
  const trust = { host: '127.0.0.1', ...(tls && { tls: { ca: readFileSync(tls.authority) } }) }
  const about = new Redis({ ...trust, port: replica.port, ...(password && { password }) })
  // The sentinels ask the master for its replicas at once, and then only every ten seconds.
  await until(async () => {
    if (!/master_link_status:up/.test(await about.info('replication'))) throw new Error('not in sync')
  })
  about.disconnect()
  const sentinels = await Promise.all(
    [1, 2, 3].map(async () => {
      const port = await freePort()
      const announced = await announce(port)
      const settings = `${linesOf({ port: String(port), ...(tls && overTls(tls, port)) })}
sentinel announce-ip 127.0.0.1
sentinel announce-port ${announced}
sentinel monitor ${name} 127.0.0.1 ${masterAt} 2
${password ? `sentinel auth-pass ${name} ${password}` : ''}
${sentinelPassword ? `requirepass ${sentinelPassword}` : ''}`
      return { ...(await startSentinel(name, port, settings)), port, announced }
    }),
  )
  const [first] = sentinels
  const admin = new Redis({
    ...trust,
    port: first?.port ?? 0,
    ...(sentinelPassword && { password: sentinelPassword }),
  })
  await until(async () => {
    // The sentinels promote nothing until they know each other and the replica.
    const [known] = [await admin.call('SENTINEL', 'MASTER', name)] as string[][]
    const fact = (wanted: string) => known?.[known.indexOf(wanted) + 1]
    if (fact('num-slaves') !== '1' || fact('num-other-sentinels') !== '2') throw new Error('not ready')
  })

  return {
    ports: sentinels.map(({ announced }) => announced),
    sentinels: sentinels.map(({ announced }) => `redis://127.0.0.1:${announced}`).join(),
    name,
    killMaster: async () => void master.process.kill('SIGKILL'),
    masterPort,
    hangSentinel: () => void first?.process.kill('SIGSTOP'),
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

/** Starts one sentinel that speaks TLS itself, and watches a master that does not. */
export async function startSentinelWithTls(
  tls: TlsSettings,
  name: string,
  masterPort: number,
  more = '',
): Promise<Server> {
  const port = await freePort()
  const { 'tls-replication': _, ...settings } = overTls(tls, port)
  return startSentinel(
    name,
    port,
    `${linesOf(settings)}\nsentinel monitor ${name} 127.0.0.1 ${masterPort} 1\n${more}`,
  )
}

async function startSentinel(name: string, port: number, settings: string): Promise<Server> {
  const directory = mkdtempSync(join(tmpdir(), 'auth-sentinel-'))
  const file = join(directory, 'sentinel.conf')
  writeFileSync(
    file,
    `bind 127.0.0.1
dir ${directory}
${settings}
sentinel down-after-milliseconds ${name} 500
sentinel failover-timeout ${name} 3000
`,
  )
  const child = endWithThisProcess(
    spawn(requireProgram('redis-server'), [file, '--sentinel'], { stdio: 'ignore' }),
  )
  await until(() => reachable(port))
  return { url: `redis://127.0.0.1:${port}`, port, process: child, stop: () => end(child, directory) }
}

function linesOf(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}`)
    .join('\n')
}

export interface ClusteredRedis {
  /** Ports of the nodes, each of which is the master of a part of the slots. */
  ports: number[]
  stop(): Promise<void>
}

interface Clustered {
  tls?: TlsSettings
  password?: string
  /** More settings of each node. */
  settings?: Record<string, string>
  /** Gives the port that a node announces instead of its own. */
  announce?: (port: number) => Promise<number> | number
}

const SLOTS = 16_384

/** Starts a Redis Cluster of two masters. */
export async function startCluster({
  tls,
  password,
  settings = {},
  announce = (port) => port,
}: Clustered = {}): Promise<ClusteredRedis> {
  // The certificate of a node may have any name.
  const checkServerIdentity = () => undefined
  const trust = {
    host: '127.0.0.1',
    ...(tls && { tls: { ca: readFileSync(tls.authority), checkServerIdentity } }),
  }
  const nodes = await Promise.all(
    [0, 1].map(async (index) => {
      const [port, bus] = await Promise.all([freePort(), freePort()])
      const announced = await announce(port)
      const all = {
        ...(tls && { ...overTls(tls, port), 'tls-cluster': 'yes' }),
        ...(password && { requirepass: password, masterauth: password }),
        'cluster-enabled': 'yes',
        'cluster-port': String(bus),
        'cluster-announce-bus-port': String(bus),
        [tls ? 'cluster-announce-tls-port' : 'cluster-announce-port']: String(announced),
        ...settings,
      }
      const server = await startRedis({ port, args: argsOf(all) })
      const admin = new Redis({ ...trust, port, ...(password && { password }) })
      await admin.cluster('ADDSLOTSRANGE', (index * SLOTS) / 2, ((index + 1) * SLOTS) / 2 - 1)
      return { ...server, admin, bus, announced }
    }),
  )
  const [first, second] = nodes
  await first?.admin.call('CLUSTER', 'MEET', '127.0.0.1', String(second?.port), String(second?.bus))
  for (const { admin } of nodes) {
    await until(async () => {
      const info = String(await admin.cluster('INFO'))
      if (!/cluster_state:ok/.test(info) || !/cluster_known_nodes:2/.test(info)) throw new Error(info)
    })
    admin.disconnect()
  }
  return {
    ports: nodes.map(({ announced }) => announced),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}
