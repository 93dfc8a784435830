import { Cluster, type Result } from 'ioredis'
import {
  type Joined,
  KEPT_AFTER_EXPIRY_MS,
  type RegistryEntry,
  type SessionRegistry,
} from '../session-registry.js'
import { createStoreCall, isBug, type StoreLog } from '../store-call.js'
import type { RedisConnections } from './redis.js'

/**
 * Stamps are compared as decimal text, by length and then letter by letter: Lua's numbers are doubles. A value of
 * another form (an older system's raw token) counts as stamp 0. An equal entry is written again rather than
 * skipped: a join that succeeds has also proved that Redis takes writes. DEL is never used: it would forget
 * the stamp that keeps late writes out. Nor does an entry ever expire earlier than the one before it would have: when
 * the lifetime of tokens is made shorter, the older ones still live as long as they say.
 */
const JOIN = `
local held = redis.call('GET', KEYS[1])
local heldStamp, heldSession
if held then heldStamp, heldSession = string.match(held, '^(%d+)%.([%w_-]*)$') end
if heldStamp then
  local stamp, session = ARGV[1], ARGV[2]
  if #heldStamp > #stamp or (#heldStamp == #stamp and heldStamp > stamp) then return 0 end
  if heldStamp == stamp and heldSession ~= session then
    if heldSession == '' then return 0 end
    if session ~= '' then return -1 end
  end
end
local entry, left = ARGV[1] .. '.' .. ARGV[2], redis.call('PTTL', KEYS[1])
redis.call('SET', KEYS[1], entry)
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
if left > redis.call('PTTL', KEYS[1]) then redis.call('SET', KEYS[1], entry, 'PX', left) end
return 1
`

declare module 'ioredis' {
  interface RedisCommander<Context> {
    joinSession(key: string, stamp: string, sessionId: string, expiresAt: string): Result<number, Context>
  }
}

interface Needs {
  redis: RedisConnections
  log: StoreLog
}

/** The registry in Redis: `jwt_token:<user id>` holds the entry as it is spelled. */
export function createRedisSessionRegistry({ redis, log }: Needs): SessionRegistry {
  const { reader, writer } = redis
  // EVALSHA, and EVAL where Redis has forgotten the script.
  writer.defineCommand('joinSession', { numberOfKeys: 1, lua: JOIN })
  const call = createRedisCall(log)

  return { read: reader instanceof Cluster ? readFromNodes : read, join, ping }

  function read(userIds: readonly number[]): Promise<(string | null)[]> {
    return call(() => reader.mget(userIds.map(keyOf)))
  }

  /** No command asks for keys of several slots: the client sends the commands for one node together. */
  function readFromNodes(userIds: readonly number[]): Promise<(string | null | Error)[]> {
    return Promise.all(userIds.map((userId) => call(() => reader.get(keyOf(userId))).catch(asError)))
  }

  async function join(
    userId: number,
    entry: RegistryEntry,
    expiresAt: number,
    limitMs?: number,
  ): Promise<Joined> {
    const until = String(Math.ceil(expiresAt) + KEPT_AFTER_EXPIRY_MS)
    const answer = await call(
      () => writer.joinSession(keyOf(userId), String(entry.stamp), entry.sessionId ?? '', until),
      limitMs,
    )
    return answer === 1 ? 'held' : answer === 0 ? 'newer' : 'collision'
  }

  async function ping(): Promise<void> {
    await Promise.all([call(() => reader.ping()), call(() => writer.ping())])
  }
}

/** Any error of the client means that Redis is away, read-only, full or loading; a programming error does not. */
export function createRedisCall(log: StoreLog) {
  return createStoreCall({ store: 'redis', log, meansAway: (error) => !isBug(error) })
}

function keyOf(userId: number): string {
  return `jwt_token:${userId}`
}

function asError(error: Error): Error {
  return error
}
