import { createHash, randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { Redis } from 'ioredis'
import { type Logger, pino } from 'pino'
import postgres from 'postgres'
import type { Test } from 'tap'
import { buildApp } from '../src/app.js'
import { loadConfig } from '../src/config/config.js'
import { createActionLog } from '../src/logs/action-log.js'
import { openStores } from '../src/stores/stores.js'
import { openKeys } from '../src/tokens/keys/open-keys.js'
import { expectDocumentedFrom, requireDocumented } from './support/documented.js'
import { patiently } from './support/patience.js'
import { type Server, startRedis } from './support/servers.js'

export const SECRET = 'kXp2s5v8yBxEaHcMbQeThWmZq4t7wYzCfGjNrRuUxAd'
export const MOBILE = '+8613800138000'

/** MOBILE, as people and scripts spell it. */
export const SPELLINGS = [MOBILE, '13800138000', '+86 138-0013-8000', '0086 13800138000']

export const PASSWORD = 'seven wet umbrellas'

/** PASSWORD, hashed at the lowest cost that BCRYPT_COST allows. */
const HASH = '$2b$10$ranq/8GerTEebPRDWhmvbuSrPTmAWvEwXeQzBUCvjAY1ZtTwQorHi'

/**
 * PASSWORD, hashed at the lowest cost of bcrypt, which instances in this process use: hashing at
 * cost 10 would take half the time of all tests. The tests in passwords/ check what hashing costs.
 */
const CHEAP_HASH = '$2b$04$0RpIOqErL1Vfm7oHdLPg3e6E7JV16QY32b6.KEewN8W.fIsJMoJT6'
const CHEAP_COST = 4

/** The stores behind an instance; several instances can share them. */
export interface Backends {
  databaseUrl: string
  redis: Server
  sql: postgres.Sql
}

/** A database and a Redis of the test's own, which end with the test. */
export async function startBackends(t: Test, { redisArgs = [] as string[] } = {}): Promise<Backends> {
  const server = process.env.TEST_POSTGRES_URL
  if (!server) throw new Error('no PostgreSQL: run the tests with npm test')
  const name = `test_${randomBytes(8).toString('hex')}`
  const admin = postgres(server, { max: 1 })
  await admin.unsafe(`create database ${name} template template_auth`)
  const redis = await startRedis({ args: redisArgs })
  const databaseUrl = server.replace(/postgres$/, name)
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => undefined })

  t.teardown(async () => {
    await sql.end({ timeout: 1 })
    await redis.stop()
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.end()
  })
  return { databaseUrl, redis, sql }
}

type Stores = Pick<Backends, 'databaseUrl' | 'redis'>

/** The settings for a process of the service on these stores. */
export function environmentOf(stores: Stores) {
  return { ...keylessEnvironmentOf(stores), JWT_SECRET: SECRET }
}

/** The same settings without JWT_SECRET, which commands do not need. Hashes are cheap. */
export function keylessEnvironmentOf({ databaseUrl, redis }: Stores) {
  return { DATABASE_URL: databaseUrl, REDIS_URL: redis.url, BCRYPT_COST: '10' }
}

/** An answer of the service, read whole. */
export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to be there
  body: any
  text: string
}

export type Service = Awaited<ReturnType<typeof build>>

/**
 * One instance of the service in this process, listening on a free port, with stores of its own
 * unless given. Hashes are cheap unless `env` has a BCRYPT_COST.
 */
export async function build(
  t: Test,
  { env = {}, backends, log = silent() }: { env?: NodeJS.ProcessEnv; backends?: Backends; log?: Logger } = {},
) {
  const { databaseUrl, redis, sql } = backends ?? (await startBackends(t))
  const config = {
    ...loadConfig({ ...environmentOf({ databaseUrl, redis }), ...env }),
    ...(env.BCRYPT_COST === undefined && { bcryptCost: CHEAP_COST }),
  }
  const stores = await openStores(config.stores, log)
  const actions: Record<string, unknown>[] = []
  const stream = {
    write: (line: string) => void actions.push(JSON.parse(line)),
    close: async () => undefined,
  }
  const { keys, close: closeKeys } = await openKeys(config, log)
  const app = await buildApp({
    config,
    keys,
    stores,
    actions: createActionLog(stream),
    log,
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  expectDocumentedFrom(url)
  const redisClient = new Redis(redis.url)
  redisClient.on('error', () => undefined)
  t.teardown(async () => {
    redisClient.disconnect()
    await app.close()
    closeKeys()
    await stores.close()
  })

  return {
    app,
    url,
    stores,
    sql,
    redis,
    redisClient,
    actions,
    addUser: userInserter(sql, config.bcryptCost === CHEAP_COST ? CHEAP_HASH : HASH),
    addClient: clientInserter(sql),
    login,
    call,
    identify,
    verify,
    logout,
    submit,
    backends: { databaseUrl, redis, sql },
  }

  /** Sends one request, with an object as body in JSON. */
  function call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return send(url, method, path, options)
  }

  /** Logs in and resolves to the token. */
  function login({ mobile = MOBILE, password = PASSWORD } = {}): Promise<string> {
    return logIn(url, { mobile, password })
  }

  function identify(token: string): Promise<Answer> {
    return call('GET', '/identify', { token })
  }

  function verify(token: string, check?: string): Promise<Answer> {
    return call('POST', '/verify', { body: { token, ...(check === undefined ? {} : { check }) } })
  }

  function logout(token: string): Promise<Answer> {
    return call('POST', '/logout', { token })
  }

  /** Sends a form, as OAuth clients do, with credentials where they are given. */
  function submit(
    path: string,
    fields: Record<string, string> | string,
    client?: Credentials,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return call('POST', path, {
      body: new URLSearchParams(fields).toString(),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(client && { authorization: basic(client) }),
        ...headers,
      },
    })
  }
}

/** Inserts users with the password PASSWORD into a database, and resolves to their ids. */
export function userInserter(sql: postgres.Sql, usual = HASH) {
  return async ({ mobile = MOBILE, hash = usual, status = 'active' } = {}): Promise<number> => {
    const [row] = await sql`insert into user_login (mobile, password, status)
      values (${mobile}, ${hash}, ${status}) returning user_id`
    return Number(row?.user_id)
  }
}

/** The credentials of a service client. */
export interface Credentials {
  name: string
  secret: string
}

/** Inserts service clients into a database, and resolves to their credentials. */
export function clientInserter(sql: postgres.Sql) {
  return async (permissions: string[], credentials = newCredentials()): Promise<Credentials> => {
    const { name, secret } = credentials
    const digest = createHash('sha256').update(secret).digest('base64url')
    await sql`insert into service_client (name, secret_digest, permissions)
      values (${name}, ${digest}, ${`{${permissions}}`})`
    return credentials
  }
}

function newCredentials(): Credentials {
  return {
    name: `client-${randomBytes(4).toString('hex')}`,
    secret: randomBytes(32).toString('base64url'),
  }
}

export function basic({ name, secret }: Credentials): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
}

export interface CallOptions {
  token?: string
  body?: unknown
  headers?: Record<string, string>
}

/** Logs in and resolves to the token. Repeats after a 503: a busy machine may not hash in time. */
export async function logIn(url: string, { mobile = MOBILE, password = PASSWORD } = {}): Promise<string> {
  const { status, body } = await patiently(() => send(url, 'POST', '/login', { body: { mobile, password } }))
  if (status !== 200) throw new Error(`login: ${status} ${body.error}`)
  return body.data.token
}

/** Sends one request. The answer of an instance of the service must match the OpenAPI document. */
export async function send(
  url: string,
  method: string,
  path: string,
  { token, body, headers = {} }: CallOptions = {},
): Promise<Answer> {
  const isText = typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined || isText ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isText ? (body as string) : JSON.stringify(body) }),
  })
  const text = await response.text()
  const { status } = response
  requireDocumented(url, { method, path, status, headers: Object.fromEntries(response.headers), text })
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return {
    status,
    headers: response.headers,
    body: isJson && text ? JSON.parse(text) : text,
    text,
  }
}

/** The claims of a token, without verifying it. */
export function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

export function silent(): Logger {
  return pino({ level: 'silent' }, new PassThrough())
}
