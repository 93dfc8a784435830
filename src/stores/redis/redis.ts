import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { RedisSettings } from '../../config/config.js'
import { OperatorError } from '../../refusals/operator-error.js'
import { describe, isHopeless } from '../failures.js'
import type { StoreLog } from '../store-call.js'
import { TlsConnector, TlsSentinelConnector } from './connectors.js'
import { failuresOf } from './failures.js'

export type RedisClient = Redis | Cluster

/** Two connections to one Redis: what is asked never waits behind, or goes down with, what is written. */
export interface RedisConnections {
  reader: RedisClient
  writer: RedisClient
}

/**
 * Connections that fail fast: nothing queues while Redis is away, nothing is sent again after a reconnect (the caller
 * has been answered by then), and a silent connection is given up after a second.
 *
 * A demoted master refuses writes with READONLY: the writer reconnects until it has found the new master, and the
 * reader, which could go on being told old things, follows it there.
 */
export function createRedis(address: RedisSettings): RedisConnections {
  let demoted = false
  const reader = connection(address)
  const writer = connection(address, (error) => {
    if (!error.message.startsWith('READONLY')) return false
    demoted = true
    return 1
  })
  writer.on('ready', async () => {
    if (!demoted || !(writer instanceof Redis)) return
    const [role] = await writer.role().catch(() => [])
    if (role !== 'master') return
    demoted = false
    reader.disconnect(true)
  })
  return { reader, writer }
}

/** What the clients of all modes are told. */
type SharedOptions = Omit<
  RedisOptions,
  'host' | 'port' | 'path' | 'sentinels' | 'replyMapping' | 'himportFieldsets'
>

type Access = Pick<RedisSettings, 'username' | 'password' | 'database' | 'tls'>

type ReconnectOnError = (error: Error) => 1 | false

function connection(address: RedisSettings, reconnectOnError: ReconnectOnError = () => false): RedisClient {
  const redis = clientOf(address, {
    lazyConnect: true,
    connectTimeout: 500,
    socketTimeout: 1000,
    // While it loads its data Redis says how many seconds that will take, and the client would look again only after these.
    maxLoadingRetryTime: 200,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // One command less that the service's user would have to be allowed.
    disableClientInfo: true,
    retryStrategy,
    reconnectOnError,
  })
  // Every failed command is reported by its caller; without a listener each reconnect would print a stack.
  redis.on('error', () => undefined)
  return redis
}

function clientOf(
  { mode, servers, sentinelName = '', ...address }: RedisSettings,
  options: SharedOptions,
): RedisClient {
  const { tls } = address
  const shared: SharedOptions = { ...options, ...accessTo(address) }
  switch (mode) {
    case 'single':
      return new Redis({ ...shared, ...servers[0] })
    case 'sentinel':
      return new Redis({
        ...shared,
        sentinels: [...servers],
        name: sentinelName,
        sentinelRetryStrategy: retryStrategy,
        sentinelCommandTimeout: 500,
        // Without the first, `tls` counts for nothing here; the second is for the sentinels, which
        // get no password.
        ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls, Connector: TlsSentinelConnector }),
      })
    case 'cluster':
      // Every node may answer where a slot is now; one that cannot is passed over, not waited for.
      return new Cluster([...servers], {
        redisOptions: shared,
        lazyConnect: true,
        enableOfflineQueue: false,
        enableAutoPipelining: true,
        clusterRetryStrategy: retryStrategy,
        slotsRefreshTimeout: 500,
        // How soon a failover is noticed where no command runs into it: whoever does is told by MOVED.
        slotsRefreshInterval: 1000,
        maxRedirections: 3,
        retryDelayOnFailover: 20,
        retryDelayOnClusterDown: 20,
        retryDelayOnTryAgain: 20,
        // A certificate names a host: by default the client looks the address up first, and forgets
        // the name.
        ...(tls && { dnsLookup: (name, tell) => tell(null, name) }),
      })
  }
}

/** Credentials, database and TLS, as far as there are any. */
function accessTo({ username, password, database, tls }: Access): SharedOptions {
  return {
    ...(username && { username }),
    ...(password && { password }),
    db: database,
    ...(tls && { tls, Connector: TlsConnector }),
  }
}

/**
 * At once after a lost connection, then less and less often, but so that the last attempt whose packets were lost and the
 * pause after it fit into the second in which answers are right again.
 */
function retryStrategy(attempt: number): number {
  return attempt === 1 ? 0 : Math.min(25 * 2 ** attempt, 200) + Math.random() * 50
}

/**
 * Resolves once both connections are ready to serve.
 *
 * @throws AggregateError with the reasons of the next failed attempt, or those of nodes that will
 *   never be let in
 */
export async function reachRedis(
  { reader, writer }: RedisConnections,
  address: RedisSettings,
): Promise<void> {
  try {
    await Promise.all([reader, writer].map(reach))
  } catch (error) {
    throw new AggregateError([...(await failuresOf(address)), error])
  }
  // A master that is away stops its own users only; one that is not trusted is a mistake.
  const failures = address.mode === 'cluster' ? await failuresOf(address) : []
  const hopeless = failures.filter((failure) => isHopeless(describe(failure)))
  if (hopeless.length > 0) throw new AggregateError(hopeless)
}

function reach(redis: RedisClient): Promise<void> {
  return new Promise((resolve, reject) => {
    if (redis.status === 'ready') return resolve()
    const settle = (error?: Error) => {
      redis.off('ready', settle).off('error', settle).off('close', closed)
      if (error) reject(error)
      else resolve()
    }
    // A server may hang up without a word, and a cluster whose name is not found emits no error.
    const closed = () => settle(new Error('the connection was closed'))
    redis.on('ready', settle).on('error', settle).on('close', closed)
    // Its promise rejects with the first failure only; the events go on with every attempt.
    if (redis.status === 'wait') redis.connect().catch(() => undefined)
  })
}

/**
 * Refuses a Redis that may evict keys under memory pressure: an evicted tombstone is a forgotten logout.
 *
 * @throws OperatorError
 */
export async function requireNoEviction(redis: RedisClient, log: StoreLog): Promise<void> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis]
  for (const server of servers) {
    const memory = await server.info('memory').catch(() => '')
    const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1]
    if (policy === undefined) {
      log.warn('redis: cannot read maxmemory-policy (INFO is not allowed); it must be noeviction')
    } else if (policy !== 'noeviction') {
      throw new OperatorError(
        `redis: maxmemory-policy is ${policy}, but sessions must not be evicted: set it to noeviction`,
      )
    }
  }
}

/** Says goodbye, or closes the sockets where Redis does not answer: `quit` rejects while it is away. */
export async function closeRedis({ reader, writer }: RedisConnections): Promise<void> {
  await Promise.all([reader, writer].map(close))
}

async function close(redis: RedisClient): Promise<void> {
  const hangUp = setTimeout(() => redis.disconnect(), 500)
  await redis.quit().catch(() => redis.disconnect())
  clearTimeout(hangUp)
}
