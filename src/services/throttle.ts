import { createHash } from 'node:crypto'
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import { Refusal, Unavailable } from '../errors.js'
import type { RedisClient } from '../stores/redis.js'
import { createRedisCall } from '../stores/session-registry.js'
import type { StoreLog } from '../stores/store-call.js'

/** An address may fail this many times as often as an account: a household or an office shares one. */
const FAILURES_PER_ADDRESS = 10

interface Needs {
  maxFailures: number
  windowSeconds: number
  /** Where all instances count together; undefined counts in this process. */
  redis: RedisClient | undefined
  log: StoreLog
}

export type Throttle = ReturnType<typeof createThrottle>

/**
 * Slows down guessing: after so many failures an account, or an address, has to wait until its window ends.
 * Only failures count, and a success forgets the account's. Live sessions go on: nobody is logged out by it.
 *
 * Counted after the comparison, so attempts in flight may exceed the limit by what the hashing queues hold.
 */
export function createThrottle({ maxFailures, windowSeconds, redis, log }: Needs) {
  const call = redis ? createRedisCall(log) : <T>(work: () => Promise<T>) => work()
  const accounts = limiter('login_failures:account', maxFailures)
  const addresses = limiter('login_failures:address', maxFailures * FAILURES_PER_ADDRESS)

  return { attempt, forget }

  /**
   * Runs one attempt to prove a password.
   *
   * @param account whose password it is, in its one canonical spelling.
   * @throws Refusal `too_many_attempts` without running it; whatever the attempt throws.
   */
  async function attempt<T>(account: string, address: string, prove: () => Promise<T>): Promise<T> {
    const key = keyOf(account)
    await Promise.all([requireRoom(accounts, key), requireRoom(addresses, address)])
    try {
      const proof = await prove()
      // Behind the answer: whoever proved the password need not wait for the count to be forgotten.
      call(() => accounts.delete(key)).catch(() => undefined)
      return proof
    } catch (error) {
      if (error instanceof Refusal && error.slug === 'invalid_credentials') {
        await Promise.all([count(accounts, key), count(addresses, address)])
      }
      throw error
    }
  }

  /** Lets an account try again at once. */
  async function forget(account: string): Promise<void> {
    await call(() => accounts.delete(keyOf(account)))
  }

  async function requireRoom(limiter: RateLimiterAbstract, key: string): Promise<void> {
    const counted = await call(() => limiter.get(key)).catch(allowUncounted)
    if (!counted || counted.consumedPoints < limiter.points) return
    throw new Refusal('too_many_attempts', {
      retryAfter: Math.max(1, Math.ceil(counted.msBeforeNext / 1000)),
    })
  }

  async function count(limiter: RateLimiterAbstract, key: string): Promise<void> {
    await call(() => limiter.penalty(key)).catch(allowUncounted)
  }

  function limiter(keyPrefix: string, points: number): RateLimiterAbstract {
    const options = { keyPrefix, points, duration: windowSeconds }
    return redis ? new RateLimiterRedis({ ...options, storeClient: redis }) : new RateLimiterMemory(options)
  }
}

/**
 * A count that is out of reach lets the attempt through. Where Redis is away as a whole no login gets as far as its
 * password; where a node of a cluster is, the users on the other nodes must not be the ones who are refused.
 */
function allowUncounted(error: unknown): undefined {
  if (!(error instanceof Unavailable)) throw error
}

/** Redis need not know whose mobile number it counts. */
function keyOf(account: string): string {
  return createHash('sha256').update(account).digest('base64url')
}
