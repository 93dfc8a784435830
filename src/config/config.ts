import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import envSchema from 'env-schema'
import { type CountryCode, isSupportedCountry } from 'libphonenumber-js/max'
import { type AddressRange, addressRange } from '../addresses/address.js'
import { OperatorError } from '../refusals/operator-error.js'
import { isStrongSecret } from '../secrets/signing-secret.js'
import { textOf, wasDamaged } from '../text/utf8.js'
import { parseStoreUrl } from './store-urls/grammar.js'
import { checkPostgresTls, isPostgresUrl } from './store-urls/postgres.js'
import { isRedisUrl, type RedisServers, readRedisServers } from './store-urls/redis.js'

/** What to do about the password in a URL that could be read in two ways. */
const ESCAPED = 'in user and password each @ : / ? # % , and blank percent-escaped (@ is %40)'

/** One entry per environment variable: its rule, its default, and the words for the operator who breaks it. */
const Environment = Type.Object({
  NODE_ENV: Type.Optional(Type.String({ expected: 'a name such as production or development' })),
  HOST: Type.String({ default: '127.0.0.1', expected: 'an address to listen on' }),
  PORT: Type.Integer({
    default: 3000,
    minimum: 0,
    maximum: 65535,
    expected: 'a whole number from 0 to 65535',
  }),
  DATA_DIR: Type.String({ default: '.data', expected: 'a directory' }),
  DATABASE_URL: Type.Optional(
    Type.String({
      format: 'postgres-url',
      expected: `postgres://user:password@host:5432/database, ${ESCAPED}`,
    }),
  ),
  DATABASE_POOLING: Type.Union([Type.Literal('session'), Type.Literal('transaction')], {
    default: 'session',
    expected: 'session or transaction',
  }),
  REDIS_URL: Type.Optional(
    Type.String({
      format: 'redis-urls',
      expected: `redis://user:password@host:6379, or rediss:// for TLS, several comma-separated with REDIS_MODE, ${ESCAPED}`,
    }),
  ),
  REDIS_MODE: Type.Union([Type.Literal('single'), Type.Literal('cluster'), Type.Literal('sentinel')], {
    default: 'single',
    expected: 'single, cluster or sentinel',
  }),
  REDIS_SENTINEL_NAME: Type.Optional(
    Type.String({ expected: 'the name of the master that the sentinels watch' }),
  ),
  JWT_SECRET: Type.Optional(
    Type.String({
      format: 'signing-secret',
      expected:
        'at least 32 random bytes that nobody else knows, such as the output of: openssl rand -base64 48',
    }),
  ),
  JWT_PREVIOUS_SECRETS: Type.Optional(
    Type.String({
      format: 'signing-secrets',
      expected: 'comma-separated secrets, each as strong as JWT_SECRET has to be',
    }),
  ),
  JWT_KEYS_FILE: Type.Optional(Type.String({ expected: 'a file that auth-service keys generate has made' })),
  JWT_ISSUER: Type.String({ default: 'auth-service', expected: 'the value of the iss claim' }),
  JWT_AUDIENCE: Type.Optional(Type.String({ expected: 'the value of the aud claim' })),
  TOKEN_TTL_SECONDS: Type.Integer({
    default: 86_400,
    minimum: 1,
    maximum: 31_536_000,
    expected: 'a whole number from 1 to 31536000',
  }),
  BCRYPT_COST: Type.Integer({
    default: 12,
    minimum: 10,
    maximum: 15,
    expected: 'a whole number from 10 to 15',
  }),
  SESSION_RECOVERY: Type.Union([Type.Literal('off'), Type.Literal('database')], {
    default: 'off',
    expected: 'off or database',
  }),
  LOGIN_MAX_FAILURES: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 100,
    expected: 'a whole number from 1 to 100',
  }),
  LOGIN_WINDOW_SECONDS: Type.Integer({
    default: 900,
    minimum: 1,
    maximum: 86_400,
    expected: 'a whole number from 1 to 86400',
  }),
  DEFAULT_REGION: Type.String({
    default: 'CN',
    format: 'region',
    expected: 'a two-letter country code (ISO 3166) such as CN or DE',
  }),
  USER_ACTION_LOG: Type.String({
    default: 'logs/user_action.log',
    expected: 'a file, or - for standard output',
  }),
  TRUST_PROXY: Type.Optional(
    Type.String({
      format: 'addresses',
      expected: 'comma-separated addresses or CIDR ranges of the proxies, such as 10.1.2.3, fd12::/16',
    }),
  ),
  KEEP_ALIVE_SECONDS: Type.Integer({
    default: 65,
    minimum: 1,
    maximum: 86_400,
    expected: 'a whole number from 1 to 86400',
  }),
  WEB_CONCURRENCY: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 128,
    expected: 'a whole number from 1 to 128',
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', expected: 'fatal, error, warn, info, debug, trace or silent' },
  ),
  DOCS: Type.Union([Type.Literal('on'), Type.Literal('off')], { default: 'on', expected: 'on or off' }),
  SHUTDOWN_SECONDS: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 300,
    expected: 'a whole number from 1 to 300',
  }),
})

/** Names of the settings, for the test that compares them with the README's table. */
export const SETTINGS = Object.keys(Environment.properties)

/** Settings that may also be read from a file named by `<NAME>_FILE`, as container secrets are mounted. */
export const FILE_SETTINGS = ['DATABASE_URL', 'REDIS_URL', 'JWT_SECRET', 'JWT_PREVIOUS_SECRETS'] as const

/** Where PostgreSQL is, and whether a pooler in between gives each transaction another connection. */
export interface DatabaseSettings {
  readonly url: string
  readonly pooling: 'session' | 'transaction'
}

/** Where Redis is: one server, the nodes of a cluster, or the sentinels that know the master of `sentinelName`. */
export interface RedisSettings extends RedisServers {
  readonly mode: 'single' | 'cluster' | 'sentinel'
  readonly sentinelName: string | undefined
}

/** Where the data lives: in this process and one directory, or in servers. */
export type StoreConfig =
  | { kind: 'embedded'; dataDir: string }
  | { kind: 'servers'; database: DatabaseSettings; redis: RedisSettings }

export interface Config {
  readonly production: boolean
  readonly host: string
  readonly port: number
  readonly stores: Readonly<StoreConfig>
  /** Absent in embedded mode when none is set: then one is generated and kept in the data directory. */
  readonly jwtSecret: string | undefined
  /** Secrets that sign nothing any more, and whose tokens still count. */
  readonly previousSecrets: readonly string[]
  /** The JWK set whose first key signs, where there is one, and not the secret. */
  readonly keysFile: string | undefined
  readonly issuer: string
  readonly audience: string | undefined
  readonly tokenTtlSeconds: number
  readonly bcryptCost: number
  readonly sessionRecovery: 'off' | 'database'
  /** Failures before the first wait, and the longest one. */
  readonly throttle: { readonly maxFailures: number; readonly windowSeconds: number }
  readonly defaultRegion: CountryCode
  readonly actionLog: string
  readonly trustProxy: string | false
  /** How long a connection may be idle between two requests. */
  readonly keepAliveSeconds: number
  /** Processes that share the port. */
  readonly processes: number
  readonly logLevel: string
  readonly docs: boolean
  readonly shutdownSeconds: number
}

/**
 * Reads the settings from an environment. A setting that is empty counts as not set.
 *
 * @param signs whether tokens will be signed: a command that only administers needs no key.
 * @throws OperatorError whose message names every problem at once, and no value: values may be secrets.
 */
export function loadConfig(environment: NodeJS.ProcessEnv, { signs = true } = {}): Config {
  const problems: string[] = []
  const given = withoutEmpty(environment)
  requireUtf8(given, problems)
  readSecretFiles(given, problems)
  const env = parse(given, problems)

  const production = given.NODE_ENV === 'production'
  const embedded = !given.DATABASE_URL && !given.REDIS_URL
  if (production || !embedded) {
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
  if (env?.DATABASE_URL) checkPostgresTls(env.DATABASE_URL, complaintsAbout('DATABASE_URL', problems))
  const redis = env && readRedisServers(listed(env.REDIS_URL ?? ''), complaintsAbout('REDIS_URL', problems))
  if (env?.REDIS_MODE === 'single' && given.REDIS_URL?.includes(',')) {
    problems.push('REDIS_URL: names several servers: set REDIS_MODE to cluster or sentinel')
  }
  if (env?.REDIS_MODE === 'cluster' && redis?.database) {
    problems.push('REDIS_URL: names a database, and a cluster has none but 0')
  }
  if (env?.REDIS_MODE === 'sentinel' && !given.REDIS_SENTINEL_NAME) {
    problems.push('REDIS_SENTINEL_NAME: is missing (REDIS_MODE is sentinel)')
  }
  if (embedded && (env?.WEB_CONCURRENCY ?? 1) > 1) {
    problems.push(
      'WEB_CONCURRENCY: several processes need DATABASE_URL and REDIS_URL: embedded stores live in one',
    )
  }
  if (addressRanges(given.TRUST_PROXY ?? '').some((range) => range && isTooWide(range))) {
    problems.push(
      'TRUST_PROXY: expected the proxies alone: everybody (/0) is refused, because whoever is trusted chooses the ' +
        'address that it counts as; ranges of IPv4 start at /8, of IPv6 at /7',
    )
  }
  if (problems.length > 0 || !env || !redis)
    throw new OperatorError(`cannot start: ${unique(problems).join('; ')}`)

  return Object.freeze({
    production,
    host: env.HOST,
    port: env.PORT,
    stores: Object.freeze(
      env.DATABASE_URL && env.REDIS_URL
        ? {
            kind: 'servers' as const,
            database: { url: env.DATABASE_URL, pooling: env.DATABASE_POOLING },
            redis: { mode: env.REDIS_MODE, ...redis, sentinelName: env.REDIS_SENTINEL_NAME },
          }
        : { kind: 'embedded' as const, dataDir: resolve(env.DATA_DIR) },
    ),
    jwtSecret: env.JWT_SECRET,
    previousSecrets: Object.freeze(listed(env.JWT_PREVIOUS_SECRETS ?? '')),
    keysFile: env.JWT_KEYS_FILE === undefined ? undefined : resolve(env.JWT_KEYS_FILE),
    issuer: env.JWT_ISSUER,
    audience: env.JWT_AUDIENCE,
    tokenTtlSeconds: env.TOKEN_TTL_SECONDS,
    bcryptCost: env.BCRYPT_COST,
    sessionRecovery: env.SESSION_RECOVERY,
    throttle: Object.freeze({ maxFailures: env.LOGIN_MAX_FAILURES, windowSeconds: env.LOGIN_WINDOW_SECONDS }),
    defaultRegion: env.DEFAULT_REGION as CountryCode,
    actionLog: env.USER_ACTION_LOG,
    trustProxy: env.TRUST_PROXY ?? false,
    keepAliveSeconds: env.KEEP_ALIVE_SECONDS,
    processes: env.WEB_CONCURRENCY,
    logLevel: String(env.LOG_LEVEL),
    docs: env.DOCS === 'on',
    shutdownSeconds: env.SHUTDOWN_SECONDS,
  })
}

function complaintsAbout(name: string, problems: string[]): (problem: string) => void {
  return (problem) => void problems.push(`${name}: ${problem}`)
}

function listed(text: string): string[] {
  return text === '' ? [] : text.split(',').map((part) => part.trim())
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

function readSecretFiles(given: Record<string, string>, problems: string[]): void {
  for (const name of FILE_SETTINGS) {
    const path = given[`${name}_FILE`]
    if (!path) continue
    if (given[name]) problems.push(`${name}: is set twice, by ${name} and by ${name}_FILE`)
    try {
      const text = textOf(readFileSync(path))?.trim()
      if (text === undefined) problems.push(`${name}_FILE: is not UTF-8`)
      else if (/[\r\n]/.test(text)) problems.push(`${name}_FILE: has more than one line`)
      else given[name] = text
    } catch (error) {
      problems.push(`${name}_FILE: cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
}

/** A file that holds a secret, and the setting that names it. */
export interface SecretFile {
  setting: string
  path: string
}

/** The files that secrets come from; of JWT_KEYS_FILE whoever reads it says more. */
export function secretFilesOf(environment: NodeJS.ProcessEnv, { stores }: Config): SecretFile[] {
  const files = FILE_SETTINGS.map((name) => ({ setting: `${name}_FILE`, path: environment[`${name}_FILE`] }))
  if (stores.kind === 'servers') {
    const path = parseStoreUrl(stores.database.url)?.parameters.get('sslkey') ?? undefined
    files.push({ setting: 'DATABASE_URL', path })
  }
  return files.flatMap(({ setting, path }) => (path ? [{ setting, path: resolve(path) }] : []))
}

function parse(given: Record<string, string>, problems: string[]): Static<typeof Environment> | undefined {
  // Ajv makes numbers of blanks, 0x50 and Infinity; an operator who writes those has made a mistake.
  for (const [name, { type, expected }] of Object.entries(Environment.properties)) {
    if (type !== 'integer' || given[name] === undefined || /^\d{1,9}$/.test(given[name])) continue
    problems.push(`${name}: expected ${expected}`)
    delete given[name]
  }
  try {
    return envSchema<Static<typeof Environment>>({
      schema: Environment,
      data: given,
      env: false,
      ajv: {
        customOptions: (ajv) => {
          ajv.addVocabulary(['expected'])
          for (const [name, check] of Object.entries(FORMATS)) ajv.addFormat(name, check)
          return ajv
        },
      },
    })
  } catch (error) {
    for (const { instancePath } of (error as { errors: { instancePath: string }[] }).errors) {
      const name = instancePath.slice(1) as keyof typeof Environment.properties
      problems.push(`${name}: expected ${Environment.properties[name].expected}`)
    }
    return undefined
  }
}

const FORMATS: Record<string, (value: string) => boolean> = {
  'postgres-url': isPostgresUrl,
  'redis-urls': (value) => value.split(',').every((url) => isRedisUrl(url.trim())),
  'signing-secret': isStrongSecret,
  'signing-secrets': (value) => value.split(',').every((secret) => isStrongSecret(secret.trim())),
  region: isSupportedCountry,
  addresses: (value) => addressRanges(value).every((range) => range !== undefined),
}

/**
 * The widest range of each family that can be meant: wider ones hold half of all addresses, or all.
 */
const WIDEST_PREFIX = { ipv4: 8, ipv6: 7 }

function isTooWide({ family, prefix }: AddressRange): boolean {
  return prefix < WIDEST_PREFIX[family]
}

function addressRanges(text: string): (AddressRange | undefined)[] {
  return listed(text).map(addressRange)
}

function unique(problems: string[]): string[] {
  return [...new Set(problems)]
}
