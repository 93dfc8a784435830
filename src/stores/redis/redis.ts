import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { RedisSettings } from '../../config/config.js'
import { OperatorError } from '../../refusals/operator-error.js'
import { describe, isHopeless } from '../failures.js'
import { createStoreCall, isBug, type StoreLog } from '../store-call.js'
import { TlsConnector, TlsSentinelConnector } from './connectors.js'
import { failuresOf } from './failures.js'

export type RedisClient = Redis | Cluster

/** Two connections to one Redis: reads never wait behind writes, nor fail with them. */
export interface RedisConnections {
  reader: RedisClient
  writer: RedisClient
}

/**
 * A connection that owes an answer is lost after this much silence, in milliseconds, so that
 * answers are right again within a second.
 */
const SILENCE_MS = 600

/**
 * Connections that fail fast. No command queues while Redis is away. None is sent again after a
 * reconnect, because its request has been answered by then. When one falls silent, both reconnect:
 * a firewall that forgot one has forgotten the other.
 *
 * A demoted master refuses writes with READONLY. The writer reconnects until it finds the new
 * master. Then the reader leaves the old one, where it would keep reading outdated entries. Where
 * the old one is master again, it stays: checks would fail while it reconnects.
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
    if (!demoted || !(await isAtMaster(writer))) return
    demoted = false
    if (!(await isAtMaster(reader))) reader.disconnect(true)
  })
  onSilence(reader, () => reconnect(writer))
  onSilence(writer, () => reconnect(reader))
  return { reader, writer }
}

function onSilence(redis: RedisClient, act: () => void): void {
  redis.on('error', ({ message }) => {
    if (message.startsWith('Socket timeout')) act()
  })
}

/** A cluster's connections are watched one by one. */
function reconnect(redis: RedisClient): void {
  if (redis instanceof Redis && redis.status === 'ready') redis.disconnect(true)
}

/** Never of a cluster, whose own redirections lead to the new master. */
async function isAtMaster(redis: RedisClient): Promise<boolean> {
  if (!(redis instanceof Redis)) return false
  const [role] = await redis.role().catch(() => [])
  return role === 'master'
}

/** Options that all modes share. */
type SharedOptions = Omit<
  RedisOptions,
  'host' | 'port' | 'path' | 'sentinels' | 'replyMapping' | 'himportFieldsets'
>

type Access = Pick<RedisSettings, 'username' | 'password' | 'database' | 'tls'>

/** Answers to SELECT: an unknown database, or one that this user may not use. */
const NO_DATABASE = /DB index|'select' command/

type ReconnectOnError = (error: Error) => 1 | false

function connection(address: RedisSettings, reconnectOnError: ReconnectOnError = () => false): RedisClient {
  const redis = clientOf(address, {
    lazyConnect: true,
    connectTimeout: 500,
    socketTimeout: SILENCE_MS,
    // How many milliseconds of silence until the kernel probes an idle connection.
    keepAlive: 5000,
    // While Redis loads its data, it announces how many seconds that takes, and ioredis would retry
    // only then.
    maxLoadingRetryTime: 200,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // One command less that the service's Redis user needs permission for.
    disableClientInfo: true,
    retryStrategy,
    reconnectOnError,
  })
  // The sender of a failed command reports it. Without a listener, ioredis prints a stack at each
  // reconnect.
  redis.on('error', ({ message }) => {
    // ioredis would go on in database 0.
    if (NO_DATABASE.test(message)) redis.disconnect(true)
  })
  return redis
}

function clientOf(
  { mode, servers, sentinel, ...address }: RedisSettings,
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
        name: sentinel?.name ?? '',
        sentinelRetryStrategy: retryStrategy,
        sentinelCommandTimeout: 500,
        ...(sentinel?.username && { sentinelUsername: sentinel.username }),
        ...(sentinel?.password && { sentinelPassword: sentinel.password }),
        // ioredis ignores `tls` here without enableTLSForSentinelMode. sentinelTLS is for the
        // sentinels.
        ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls, Connector: TlsSentinelConnector }),
      })
    case 'cluster':
      // Any node may say where a slot is now. A node that cannot is skipped, not waited for.
      return new Cluster([...servers], {
        redisOptions: shared,
        lazyConnect: true,
        enableOfflineQueue: false,
        enableAutoPipelining: true,
        clusterRetryStrategy: retryStrategy,
        slotsRefreshTimeout: 500,
        // How soon a failover is noticed if no command meets it. A command that meets it gets
        // MOVED.
        slotsRefreshInterval: 1000,
        maxRedirections: 3,
        retryDelayOnFailover: 20,
        retryDelayOnClusterDown: 20,
        retryDelayOnTryAgain: 20,
        // A certificate names a host. By default ioredis resolves the host first, and keeps only
        // the address.
        ...(tls && { dnsLookup: (name, tell) => tell(null, name) }),
      })
  }
}

/** Credentials, database and TLS, where given. */
function accessTo({ username, password, database, tls }: Access): SharedOptions {
  return {
    ...(username && { username }),
    ...(password && { password }),
    db: database,
    ...(tls && { tls, Connector: TlsConnector }),
  }
}

/**
 * The pause before a reconnect, in milliseconds: none at first, then longer and longer. The last
 * attempt whose packets were lost and the pause after it still fit into the second that recovery
 * may take.
 */
function retryStrategy(attempt: number): number {
  return attempt === 1 ? 0 : Math.min(25 * 2 ** attempt, 200) + Math.random() * 50
}

/**
 * Resolves when both connections are ready to serve.
 *
 * @throws AggregateError with the reasons of the next failed attempt, or those of cluster nodes
 *   that can never be used
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
  // A master that is away affects only its own users. An untrusted one is a mistake in the
  // settings.
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
    // A server may close without an error, and a cluster whose host name is not found emits none.
    const closed = () => settle(new Error('the connection was closed'))
    redis.on('ready', settle).on('error', settle).on('close', closed)
    // The promise rejects with the first failure only. The events report every attempt.
    if (redis.status === 'wait') redis.connect().catch(() => undefined)
  })
}

/**
 * Refuses a Redis that may evict keys under memory pressure: an evicted tombstone is a forgotten
 * logout.
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

/**
 * Closes both connections with QUIT, or without it where Redis does not answer: `quit` rejects
 * while Redis is away.
 */
export async function closeRedis({ reader, writer }: RedisConnections): Promise<void> {
  await Promise.all([reader, writer].map(close))
}

async function close(redis: RedisClient): Promise<void> {
  const hangUp = setTimeout(() => redis.disconnect(), 500)
  await redis.quit().catch(() => redis.disconnect())
  clearTimeout(hangUp)
}

/**
 * Any error of ioredis means that Redis is away, read-only, full or loading. A bug in our own code
 * does not.
 */
export function createRedisCall(log: StoreLog) {
  return createStoreCall({ store: 'redis', log, meansAway: (error) => !isBug(error) })
}

/**
 * Resolves as soon as one succeeds: in a cluster, a node that is away affects only its own users.
 *
 * @throws the first error if none succeeds
 */
export async function anyOf(tries: Promise<unknown>[]): Promise<void> {
  await Promise.any(tries).catch(({ errors: [first] }: AggregateError) => Promise.reject(first))
}
