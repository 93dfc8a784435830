import assert from 'node:assert/strict'
import type { Test } from 'tap'
import { readRedisServers } from '../../src/config/store-urls/redis.js'
import { closeRedis, createRedis, type RedisConnections, reachRedis } from '../../src/stores/redis/redis.js'

/** The service's connections to one Redis, closed with the test. */
export async function connectToRedis(t: Test, port: number): Promise<RedisConnections> {
  const servers = readRedisServers([`redis://127.0.0.1:${port}`], assert.fail)
  const address = { mode: 'single' as const, sentinel: undefined, ...servers }
  const redis = createRedis(address)
  t.teardown(() => closeRedis(redis))
  await reachRedis(redis, address)
  return redis
}
