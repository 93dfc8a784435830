import { connect as connectInTheClear } from 'node:net'
import { connect as connectOverTls } from 'node:tls'
import { Redis, type RedisOptions } from 'ioredis'
import type { RedisSettings } from '../../config/config.js'
import { SPEAKS_NO_TLS } from '../failures.js'
import { TlsConnector } from './connectors.js'

/** How long a server may take to answer, in milliseconds. */
const ANSWER_LIMIT_MS = 500

/**
 * How long to listen after a handshake, in milliseconds: in TLS 1.3 the server rejects a missing
 * client certificate only afterwards.
 */
const OBJECTION_LIMIT_MS = 100

type Server = RedisSettings['servers'][number]
type Tls = NonNullable<RedisSettings['tls']>

/**
 * Why this Redis cannot be used: the errors of every server in the settings, and of every master
 * that those servers name. For a cluster or sentinels ioredis reports only that none of them works,
 * and for a failed handshake often only that the connection was closed.
 */
export async function failuresOf(address: RedisSettings): Promise<Error[]> {
  const failures = await Promise.all(address.servers.map((server) => failuresAt(server, address)))
  return failures.flat()
}

async function failuresAt(server: Server, address: RedisSettings): Promise<Error[]> {
  const { mode, tls, sentinel } = address
  const failure = tls && (await handshakeFailure(server, tls))
  if (failure) return [failure]
  // For a single server, ioredis reports everything else.
  if (mode === 'single') return []
  const { username, password } = sentinel ?? address
  const credentials = { ...(username && { username }), ...(password && { password }) }
  const masters: Server[] = []
  const refusal = await ask({ ...server, ...credentials, ...(tls && { tls }) }, async (redis) => {
    masters.push(...(await (sentinel ? watchedMaster(redis, sentinel.name) : mastersOfSlots(redis))))
  })
  if (refusal) return [sentinel ? ofSentinel(refusal) : refusal]
  const handshakes = masters.map((master) => tls && handshakeFailure(master, tls))
  return (await Promise.all(handshakes)).filter((each) => each !== undefined)
}

/** Names the setting where a sentinel asks for credentials, or refuses them. */
function ofSentinel(refusal: Error): Error {
  return /^(NOAUTH|WRONGPASS)/.test(refusal.message)
    ? new Error(`${refusal.message} (from a sentinel: set REDIS_SENTINEL_PASSWORD)`)
    : refusal
}

async function mastersOfSlots(node: Redis): Promise<Server[]> {
  const masters = new Map<string, Server>()
  for (const [, , master] of await node.cluster('SLOTS')) {
    const [host, port] = master ?? []
    if (host) masters.set(`${host}:${port}`, { host: String(host), port: Number(port) })
  }
  return [...masters.values()]
}

async function watchedMaster(sentinel: Redis, name: string): Promise<Server[]> {
  const found = await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)
  if (!Array.isArray(found)) throw new Error(`the sentinels know no master named ${name}`)
  return [{ host: String(found[0]), port: Number(found[1]) }]
}

async function ask(
  options: Server & Pick<RedisOptions, 'username' | 'password' | 'tls'>,
  question: (redis: Redis) => Promise<unknown>,
): Promise<Error | undefined> {
  const redis = new Redis({
    ...options,
    ...(options.tls && { Connector: TlsConnector }),
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: null,
    connectTimeout: ANSWER_LIMIT_MS,
    commandTimeout: ANSWER_LIMIT_MS,
  })
  // The first error says why. Later ones only say that the connection is closed.
  let first: Error | undefined
  redis.on('error', (error) => {
    first ??= error
  })
  try {
    await redis.connect()
    await question(redis)
    return undefined
  } catch (error) {
    return first ?? (error as Error)
  } finally {
    redis.disconnect()
  }
}

function handshakeFailure(server: Server, tls: Tls): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connectOverTls({ ...server, ...tls })
    const settle = (failure?: Error) => {
      clearTimeout(limit)
      socket.destroy()
      resolve(failure)
    }
    const tooLate = async () =>
      settle((await answersInTheClear(server)) ? new Error(SPEAKS_NO_TLS) : undefined)
    let limit = setTimeout(tooLate, ANSWER_LIMIT_MS)
    socket.on('error', settle)
    socket.once('secureConnect', () => {
      clearTimeout(limit)
      limit = setTimeout(settle, OBJECTION_LIMIT_MS)
    })
  })
}

/**
 * Whether the server answers without TLS. Redis takes the ClientHello of TLS for an incomplete
 * command, and waits. The bytes sent here are invalid too, but complete: Redis answers with an
 * error and nothing else.
 */
function answersInTheClear({ host, port }: Server): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectInTheClear({ host, port, timeout: ANSWER_LIMIT_MS })
    const settle = (answers: boolean) => {
      socket.destroy()
      resolve(answers)
    }
    socket.on('error', () => settle(false))
    socket.once('timeout', () => settle(false)).once('close', () => settle(false))
    socket.once('data', (answer) => settle(answer.toString('latin1').startsWith('-')))
    socket.write('"\r\n')
  })
}
