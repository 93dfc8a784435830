import { Cluster, type Result } from 'ioredis'
import {
  type Joined,
  KEPT_AFTER_EXPIRY_MS,
  type RegistryEntry,
  type SessionRegistry,
} from '../session-registry.js'
import type { StoreLog } from '../store-call.js'
import { anyOf, createRedisCall, type RedisConnections } from './redis.js'

/**
 * Stamps are compared as decimal text, by length and then character by character: Lua's numbers are
 * doubles. A value in another format (an older system's raw token) counts as stamp 0. An equal
 * entry is written again, not skipped: a join that succeeds also proves that Redis accepts writes.
 * DEL is never used: it would forget the stamp that keeps late writes out. An entry never expires
 * earlier than the one that it replaces: if the token lifetime is shortened, older tokens keep the
 * expiry that they carry.
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

/** Ids of no users, which begin with 1. They have different slots in a cluster. */
const NOBODIES = [0, -1, -2, -3]

interface Needs {
  redis: RedisConnections
  log: StoreLog
}

/** R in Redis: `jwt_token:<user id>` holds the entry. */
export function createRedisSessionRegistry({ redis, log }: Needs): SessionRegistry {
  const { reader, writer } = redis
  // ioredis sends EVALSHA, and EVAL if Redis does not have the script.
  writer.defineCommand('joinSession', { numberOfKeys: 1, lua: JOIN })
  const call = createRedisCall(log)
  const read = reader instanceof Cluster ? readFromNodes : readTogether

  return { read, join, probe }

  function readTogether(userIds: readonly number[]): Promise<(string | null)[]> {
    return call(() => reader.mget(userIds.map(keyOf)))
  }

  /** No command reads keys of several slots. ioredis pipelines the GETs for one node. */
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

  async function probe(): Promise<void> {
    await Promise.all([
      read([...NOBODIES]).then((entries) => anyOf(entries.map(orThrow))),
      anyOf(NOBODIES.map((userId) => join(userId, { stamp: 0, sessionId: null }, Date.now()))),
    ])
  }
}

function keyOf(userId: number): string {
  return `jwt_token:${userId}`
}

async function orThrow(entry: string | null | Error): Promise<void> {
  if (entry instanceof Error) throw entry
}

function asError(error: Error): Error {
  return error
}
