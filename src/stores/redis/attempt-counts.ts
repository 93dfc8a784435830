import type { Result } from 'ioredis'
import {
  type AttemptCounts,
  type AttemptLimits,
  LEASE_MS,
  ROW_KEPT_FROM,
  ROW_KEPT_MS,
  type Taken,
} from '../attempt-counts.js'
import type { StoreLog } from '../store-call.js'
import { anyOf, createRedisCall, type RedisClient } from './redis.js'

/**
 * One hash per key. A field per counter holds "failures opensAt pending leaseEnds"; `in_row` holds
 * the failures in a row over all counters. Times are by Redis's clock, in milliseconds. The rules
 * are those of ../embedded/attempt-counts.ts, tested by the same tests.
 */
const COUNT = `
local operation, counter = ARGV[1], ARGV[2]
local free, firstWait, longestWait = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local mostInRow, lease, rowKept, rowKeptFrom = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local field = redis.call('HGET', KEYS[1], counter) or '0 0 0 0'
local failures, opensAt, pending, leaseEnds = string.match(field, '^(%d+) (%d+) (%d+) (%d+)$')
failures, opensAt, pending, leaseEnds = tonumber(failures), tonumber(opensAt), tonumber(pending), tonumber(leaseEnds)
if now >= opensAt + longestWait then failures = 0 end
if now >= leaseEnds then pending = 0 end
local inRow = tonumber(redis.call('HGET', KEYS[1], 'in_row') or '0')

if operation == 'take' then
  if mostInRow > 0 and inRow >= mostInRow then return { 'closed', redis.call('PTTL', KEYS[1]) } end
  if failures >= free and now < opensAt then return { 'wait', opensAt - now } end
  if pending > 0 and failures + pending >= free then return { 'busy', 0 } end
  pending, leaseEnds, inRow = pending + 1, now + lease, inRow + 1
else
  pending = math.max(0, pending - 1)
  if operation == 'fail' then
    failures, opensAt = failures + 1, now
    if failures >= free then opensAt = now + math.min(longestWait, firstWait * 2 ^ (failures - free)) end
  else
    inRow = math.max(0, inRow - 1)
  end
end

local value = string.format('%.0f %.0f %.0f %.0f', failures, opensAt, pending, leaseEnds)
redis.call('HSET', KEYS[1], counter, value, 'in_row', string.format('%.0f', inRow))
local kept = 2 * longestWait + lease
if mostInRow > 0 and inRow >= rowKeptFrom then kept = math.max(kept, rowKept) end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', kept))
return { 'taken', 0 }
`

/** No account and no network is called so. They have different slots in a cluster. */
const NOBODIES = ['nobody:0', 'nobody:1', 'nobody:2', 'nobody:3']

type Operation = 'take' | 'fail' | 'giveBack'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    countAttempt(
      key: string,
      operation: Operation,
      counter: string,
      ...limits: number[]
    ): Result<[Taken['verdict'], number], Context>
  }
}

/** Counts in Redis, which all instances share. */
export function createRedisAttemptCounts({
  redis,
  log,
}: {
  redis: RedisClient
  log: StoreLog
}): AttemptCounts {
  redis.defineCommand('countAttempt', { numberOfKeys: 1, lua: COUNT })
  const call = createRedisCall(log)

  return {
    take: async (key, counter, limits) => {
      const [verdict, waitMs] = await count(key, 'take', counter, limits)
      return verdict === 'wait' || verdict === 'closed' ? { verdict, waitMs } : { verdict }
    },
    fail: async (key, counter, limits) => void (await count(key, 'fail', counter, limits)),
    giveBack: async (key, counter, limits) => void (await count(key, 'giveBack', counter, limits)),
    succeed: async (key, counter) => void (await call(() => redis.hdel(keyOf(key), counter, 'in_row'))),
    forget: async (key, limitMs) => void (await call(() => redis.del(keyOf(key)), limitMs)),
    probe: () => anyOf(NOBODIES.map(tryOut)),
  }

  async function tryOut(nobody: string): Promise<void> {
    await count(nobody, 'giveBack', nobody, { free: 1, firstWaitMs: 1, longestWaitMs: 1 })
    await call(() => redis.hdel(keyOf(nobody), nobody))
  }

  function count(key: string, operation: Operation, counter: string, limits: AttemptLimits) {
    const { free, firstWaitMs, longestWaitMs, mostInRow = 0 } = limits
    return call(() =>
      redis.countAttempt(
        keyOf(key),
        operation,
        counter,
        free,
        firstWaitMs,
        longestWaitMs,
        Math.min(mostInRow, Number.MAX_SAFE_INTEGER),
        LEASE_MS,
        ROW_KEPT_MS,
        ROW_KEPT_FROM,
      ),
    )
  }
}

function keyOf(key: string): string {
  return `login_failures:${key}`
}
