import { Redis } from 'ioredis'
import { OperatorError } from '../errors.js'
import type { StoreLog } from './store-call.js'

/**
 * One connection to Redis that fails fast: nothing queues while Redis is away, nothing is sent again after a
 * reconnect (the caller has been answered by then), and a silent connection is given up after a second.
 */
export function createRedis(url: string): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 500,
    socketTimeout: 1000,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 400) + Math.random() * 50,
    // A demoted master answers READONLY: reconnecting finds the new one.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
  })
  // Every failed command is reported by its caller; without a listener each reconnect would print a stack.
  redis.on('error', () => undefined)
  return redis
}

/** Resolves once Redis is ready to serve, rejects with the reason of the next failed attempt to connect. */
export function reachRedis(redis: Redis): Promise<void> {
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

/** Says goodbye, or closes the socket where Redis does not answer: `quit` rejects while it is away. */
export async function closeRedis(redis: Redis): Promise<void> {
  const hangUp = setTimeout(() => redis.disconnect(), 500)
  await redis.quit().catch(() => redis.disconnect())
  clearTimeout(hangUp)
}
