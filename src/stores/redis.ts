import { Redis } from 'ioredis'
import { OperatorError } from '../errors.js'
import type { StoreLog } from './store-call.js'

/** Two connections to one Redis: what is asked never waits behind, or goes down with, what is written. */
export interface RedisConnections {
  reader: Redis
  writer: Redis
}

/**
 * Connections that fail fast: nothing queues while Redis is away, nothing is sent again after a reconnect (the caller
 * has been answered by then), and a silent connection is given up after a second.
 *
 * A demoted master refuses writes with READONLY: the writer reconnects until it has found the new master, and the
 * reader, which could go on being told old things, follows it there.
 */
export function createRedis(url: string): RedisConnections {
  let demoted = false
  const reader = connection(url)
  const writer = connection(url, (error) => {
    if (!error.message.startsWith('READONLY')) return false
    demoted = true
    return 1
  })
  writer.on('ready', async () => {
    if (!demoted) return
    const [role] = await writer.role().catch(() => [])
    if (role !== 'master') return
    demoted = false
    reader.disconnect(true)
  })
  return { reader, writer }
}

function connection(url: string, reconnectOnError: (error: Error) => 1 | false = () => false): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 500,
    socketTimeout: 1000,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // At once after a lost connection, then less and less often.
    retryStrategy: (attempt) => (attempt === 1 ? 0 : Math.min(25 * 2 ** attempt, 400) + Math.random() * 50),
    reconnectOnError,
  })
  // Every failed command is reported by its caller; without a listener each reconnect would print a stack.
  redis.on('error', () => undefined)
  return redis
}

/** Resolves once both connections are ready to serve, rejects with the reason of the next failed attempt. */
export async function reachRedis({ reader, writer }: RedisConnections): Promise<void> {
  await Promise.all([reader, writer].map(reach))
}

function reach(redis: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    if (redis.status === 'ready') return resolve()
    const settle = (error?: Error) => {
      redis.off('ready', settle).off('error', settle)
      if (error) reject(error)
      else resolve()
    }
    redis.on('ready', settle).on('error', settle)
    // Its promise rejects with the first failure only; the events go on with every attempt.
    if (redis.status === 'wait') redis.connect().catch(() => undefined)
  })
}

/**
 * Refuses a Redis that may evict keys under memory pressure: an evicted tombstone is a forgotten logout.
 *
 * @throws OperatorError
 */
export async function requireNoEviction(redis: Redis, log: StoreLog): Promise<void> {
  const memory = await redis.info('memory').catch(() => '')
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1]
  if (policy === undefined) {
    log.warn('redis: cannot read maxmemory-policy (INFO is not allowed); it must be noeviction')
  } else if (policy !== 'noeviction') {
    throw new OperatorError(
      `redis: maxmemory-policy is ${policy}, but sessions must not be evicted: set it to noeviction`,
    )
  }
}

/** Says goodbye, or closes the sockets where Redis does not answer: `quit` rejects while it is away. */
export async function closeRedis({ reader, writer }: RedisConnections): Promise<void> {
  await Promise.all([reader, writer].map(close))
}

async function close(redis: Redis): Promise<void> {
  const hangUp = setTimeout(() => redis.disconnect(), 500)
  await redis.quit().catch(() => redis.disconnect())
  clearTimeout(hangUp)
}
