import { resolve } from 'node:path'
import type { CountryCode } from 'libphonenumber-js/max'
import type { AddressRange } from '../addresses/address.js'
import { OperatorError } from '../refusals/operator-error.js'
import { wasDamaged } from '../text/utf8.js'
import { addressRanges, type Environment, listed, parseEnvironment, SETTINGS } from './environment.js'
import { readSecretFiles } from './secret-files.js'
import { checkPostgresParameters } from './store-urls/postgres.js'
import { type RedisServers, readRedisServers } from './store-urls/redis.js'

/**
 * Where PostgreSQL is, and whether a pooler in between assigns connections per session or per
 * transaction.
 */
export interface DatabaseSettings {
  readonly url: string
  readonly pooling: 'session' | 'transaction'
}

/** Where Redis is: one server, the nodes of a cluster, or the sentinels that know the master. */
export interface RedisSettings extends RedisServers {
  readonly mode: 'single' | 'cluster' | 'sentinel'
  /** With sentinels: the master's name, and their own credentials. Those in the URL are Redis's. */
  readonly sentinel: Sentinel | undefined
}

interface Sentinel {
  readonly name: string
  readonly username: string | undefined
  readonly password: string | undefined
}

/** Where the data is: in this process and one directory, or on servers. */
export type StoreConfig =
  | { kind: 'embedded'; dataDir: string }
  | { kind: 'servers'; database: DatabaseSettings; redis: RedisSettings }

export type Config = ReturnType<typeof configOf>

/**
 * Reads the configuration from an environment. An empty variable counts as not set.
 *
 * @param signs whether tokens will be signed: commands that only administer need no key.
 * @throws OperatorError that names every problem at once, and no value, because values may be
 *   secrets.
 */
export function loadConfig(environment: NodeJS.ProcessEnv, { signs = true } = {}): Config {
  const problems: string[] = []
  hideDriverVariables(environment)
  const given = withoutEmpty(environment)
  requireUtf8(given, problems)
  readSecretFiles(given, problems)
  const env = parseEnvironment(given, problems)
  requireStoresAndKey(given, { signs }, problems)
  requireNarrowRanges(given.TRUST_PROXY ?? '', problems)
  if (env?.DATABASE_URL) checkPostgresParameters(env.DATABASE_URL, complaintsAbout('DATABASE_URL', problems))
  const redis = env && readRedisServers(listed(env.REDIS_URL ?? ''), complaintsAbout('REDIS_URL', problems))
  if (env && redis) requireFittingSettings(env, redis, problems)
  if (problems.length > 0 || !env || !redis)
    throw new OperatorError(`cannot start: ${unique(problems).join('; ')}`)
  return configOf(env, redis)
}

function configOf(env: Environment, redis: RedisServers) {
  return Object.freeze({
    production: env.NODE_ENV === 'production',
    host: env.HOST,
    port: env.PORT,
    stores: Object.freeze<StoreConfig>(
      env.DATABASE_URL && env.REDIS_URL
        ? {
            kind: 'servers',
            database: { url: env.DATABASE_URL, pooling: env.DATABASE_POOLING },
            redis: { mode: env.REDIS_MODE, ...redis, sentinel: sentinelOf(env) },
          }
        : { kind: 'embedded', dataDir: resolve(env.DATA_DIR) },
    ),
    /** If it is undefined, embedded mode makes one and keeps it in the data directory. */
    jwtSecret: env.JWT_SECRET,
    /** Secrets that no longer sign but still verify. */
    previousSecrets: Object.freeze(listed(env.JWT_PREVIOUS_SECRETS ?? '')),
    /** A JWK set. Its first key that may sign does so instead of the secret. */
    keysFile: env.JWT_KEYS_FILE === undefined ? undefined : resolve(env.JWT_KEYS_FILE),
    issuer: env.JWT_ISSUER,
    audience: env.JWT_AUDIENCE,
    tokenTtlSeconds: env.TOKEN_TTL_SECONDS,
    bcryptCost: env.BCRYPT_COST,
    sessionRecovery: env.SESSION_RECOVERY,
    /** Failures before the first wait, and the longest wait. */
    throttle: Object.freeze({ maxFailures: env.LOGIN_MAX_FAILURES, windowSeconds: env.LOGIN_WINDOW_SECONDS }),
    defaultRegion: env.DEFAULT_REGION as CountryCode,
    actionLog: env.USER_ACTION_LOG,
    trustProxy: env.TRUST_PROXY ?? (false as const),
    /** How long a connection may be idle between two requests. */
    keepAliveSeconds: env.KEEP_ALIVE_SECONDS,
    /** Processes that share the port. */
    processes: env.WEB_CONCURRENCY,
    logLevel: String(env.LOG_LEVEL),
    docs: env.DOCS === 'on',
    shutdownSeconds: env.SHUTDOWN_SECONDS,
  })
}

function sentinelOf(env: Environment): Sentinel | undefined {
  const { REDIS_SENTINEL_NAME: name, REDIS_SENTINEL_USERNAME: username } = env
  return name === undefined ? undefined : { name, username, password: env.REDIS_SENTINEL_PASSWORD }
}

/**
 * Checks for missing settings in the variables as given, so that this works even if another setting
 * is invalid.
 */
function requireStoresAndKey(
  given: Record<string, string>,
  { signs }: { signs: boolean },
  problems: string[],
): void {
  const production = given.NODE_ENV === 'production'
  if (!production && isEmbedded(given)) return
  const because = production ? 'NODE_ENV is production' : 'set both stores, or neither for embedded mode'
  if (!given.DATABASE_URL) problems.push(`DATABASE_URL: is missing (${because})`)
  if (!given.REDIS_URL) problems.push(`REDIS_URL: is missing (${because})`)
  if (signs && !given.JWT_SECRET && !given.JWT_KEYS_FILE) {
    problems.push(
      'JWT_SECRET: is missing, and so is JWT_KEYS_FILE: one of them is needed (only embedded mode makes its own ' +
        'key; these make one: openssl rand -base64 48, auth-service keys generate)',
    )
  }
}

/** Refuses settings that are valid alone but not together. */
function requireFittingSettings(env: Environment, redis: RedisServers, problems: string[]): void {
  if (env.REDIS_MODE === 'single' && env.REDIS_URL?.includes(',')) {
    problems.push('REDIS_URL: names several servers: set REDIS_MODE to cluster or sentinel')
  }
  if (env.REDIS_MODE === 'cluster' && redis.database) {
    problems.push('REDIS_URL: names a database, and a cluster has none but 0')
  }
  if (env.REDIS_MODE === 'sentinel' && !env.REDIS_SENTINEL_NAME) {
    problems.push('REDIS_SENTINEL_NAME: is missing (REDIS_MODE is sentinel)')
  }
  if (env.REDIS_MODE !== 'sentinel') {
    const unused = SENTINEL_SETTINGS.filter((name) => env[name])
    problems.push(...unused.map((name) => `${name}: has no effect unless REDIS_MODE is sentinel`))
  }
  if (isEmbedded(env) && env.WEB_CONCURRENCY > 1) {
    problems.push(
      'WEB_CONCURRENCY: several processes need DATABASE_URL and REDIS_URL: embedded stores live in one',
    )
  }
}

const SENTINEL_SETTINGS = [
  'REDIS_SENTINEL_NAME',
  'REDIS_SENTINEL_USERNAME',
  'REDIS_SENTINEL_PASSWORD',
] as const

function requireNarrowRanges(trustProxy: string, problems: string[]): void {
  if (addressRanges(trustProxy).some((range) => range && isTooWide(range))) {
    problems.push(
      'TRUST_PROXY: expected only the proxies: everybody (/0) is refused, because a trusted peer chooses the ' +
        'address that it counts as; the widest IPv4 range is a /8, the widest IPv6 range a /7',
    )
  }
}

function isEmbedded(settings: Pick<Partial<Environment>, 'DATABASE_URL' | 'REDIS_URL'>): boolean {
  return !settings.DATABASE_URL && !settings.REDIS_URL
}

/**
 * Deletes the variables of libpq, which the driver would read where DATABASE_URL says nothing.
 * Those of somebody's shell would redirect or stop even the embedded PostgreSQL.
 */
function hideDriverVariables(environment: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(environment)) if (/^PG[A-Z_]+$/.test(name)) delete environment[name]
}

function complaintsAbout(name: string, problems: string[]): (problem: string) => void {
  return (problem) => void problems.push(`${name}: ${problem}`)
}

function withoutEmpty(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => Boolean(entry[1])),
  )
}

function requireUtf8(given: Record<string, string>, problems: string[]): void {
  const damaged = SETTINGS.filter((name) => wasDamaged(given[name] ?? ''))
  problems.push(...damaged.map((name) => `${name}: is not UTF-8`))
}

/**
 * Shortest prefix that is accepted: that of the widest private networks, 10.0.0.0/8 and fc00::/7.
 */
const WIDEST_PREFIX = { ipv4: 8, ipv6: 7 }

function isTooWide({ family, prefix }: AddressRange): boolean {
  return prefix < WIDEST_PREFIX[family]
}

function unique(problems: string[]): string[] {
  return [...new Set(problems)]
}
