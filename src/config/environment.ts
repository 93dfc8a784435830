import { type Static, Type } from '@sinclair/typebox'
import envSchema from 'env-schema'
import { isSupportedCountry } from 'libphonenumber-js/max'
import { type AddressRange, addressRange } from '../addresses/address.js'
import { isStrongSecret } from '../secrets/signing-secret.js'
import { isPostgresUrl } from './store-urls/postgres.js'
import { isRedisUrl } from './store-urls/redis.js'

/** How to write a user and a password that would make a URL ambiguous. */
const ESCAPED = 'in user and password each @ : / ? # % , and blank percent-escaped (@ is %40)'

/**
 * One property per environment variable: its rule, its default, what `serve --help` says of it, and
 * what an operator is told who breaks it.
 */
const Environment = Type.Object({
  NODE_ENV: Type.Optional(
    Type.String({
      description: 'production refuses embedded mode: both stores and a key must be set',
      expected: 'a name such as production or development',
    }),
  ),
  HOST: Type.String({
    default: '127.0.0.1',
    description: 'address to listen on',
    expected: 'an address to listen on',
  }),
  PORT: Type.Integer({
    default: 3000,
    minimum: 0,
    maximum: 65535,
    description: 'port to listen on',
    expected: 'a whole number from 0 to 65535',
  }),
  DATA_DIR: Type.String({
    default: '.data',
    description: 'where embedded mode keeps its data and its key',
    expected: 'a directory',
  }),
  DATABASE_URL: Type.Optional(
    Type.String({
      format: 'postgres-url',
      description: 'PostgreSQL; embedded without it and REDIS_URL',
      expected: `postgres://user:password@host:5432/database with one host, ${ESCAPED}`,
    }),
  ),
  DATABASE_POOLING: Type.Union([Type.Literal('session'), Type.Literal('transaction')], {
    default: 'session',
    description: "transaction behind PgBouncer's transaction pooling",
    expected: 'session or transaction',
  }),
  REDIS_URL: Type.Optional(
    Type.String({
      format: 'redis-urls',
      description: 'Redis; embedded without it and DATABASE_URL',
      expected: `redis://user:password@host:6379, or rediss:// for TLS, several comma-separated with REDIS_MODE, ${ESCAPED}`,
    }),
  ),
  REDIS_MODE: Type.Union([Type.Literal('single'), Type.Literal('cluster'), Type.Literal('sentinel')], {
    default: 'single',
    description: 'cluster or sentinel if REDIS_URL names several servers',
    expected: 'single, cluster or sentinel',
  }),
  REDIS_SENTINEL_NAME: Type.Optional(
    Type.String({
      description: 'name of the master that the sentinels watch',
      expected: 'the name of the master that the sentinels watch',
    }),
  ),
  REDIS_SENTINEL_USERNAME: Type.Optional(
    Type.String({ description: 'user of the sentinels themselves', expected: 'the user of the sentinels' }),
  ),
  REDIS_SENTINEL_PASSWORD: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'password of the sentinels themselves',
      expected: 'the password of the sentinels',
    }),
  ),
  JWT_SECRET: Type.Optional(
    Type.String({
      format: 'signing-secret',
      description: 'key that signs tokens (HS256); embedded mode makes its own',
      expected:
        'at least 32 random bytes that nobody else knows, such as the output of: openssl rand -base64 48',
    }),
  ),
  JWT_PREVIOUS_SECRETS: Type.Optional(
    Type.String({
      format: 'signing-secrets',
      description: 'secrets that no longer sign and whose tokens still count',
      expected: 'comma-separated secrets, each as strong as JWT_SECRET has to be',
    }),
  ),
  JWT_KEYS_FILE: Type.Optional(
    Type.String({
      description: 'key pairs that sign instead of the secret; made by keys generate',
      expected: 'a file that auth-service keys generate has made',
    }),
  ),
  JWT_ISSUER: Type.String({
    default: 'auth-service',
    description: 'iss claim of the tokens',
    expected: 'the value of the iss claim',
  }),
  JWT_AUDIENCE: Type.Optional(
    Type.String({ description: 'aud claim of the tokens', expected: 'the value of the aud claim' }),
  ),
  TOKEN_TTL_SECONDS: Type.Integer({
    default: 86_400,
    minimum: 1,
    maximum: 31_536_000,
    description: 'how long a token is valid',
    expected: 'a whole number from 1 to 31536000',
  }),
  BCRYPT_COST: Type.Integer({
    default: 12,
    minimum: 10,
    maximum: 15,
    description: 'cost of a password hash, 10 to 15',
    expected: 'a whole number from 10 to 15',
  }),
  SESSION_RECOVERY: Type.Union([Type.Literal('off'), Type.Literal('database')], {
    default: 'off',
    description: 'database: sessions survive the loss of Redis',
    expected: 'off or database',
  }),
  LOGIN_MAX_FAILURES: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 100,
    description: 'wrong passwords per account and network before the first wait',
    expected: 'a whole number from 1 to 100',
  }),
  LOGIN_WINDOW_SECONDS: Type.Integer({
    default: 900,
    minimum: 1,
    maximum: 86_400,
    description: 'the longest wait after wrong passwords',
    expected: 'a whole number from 1 to 86400',
  }),
  DEFAULT_REGION: Type.String({
    default: 'CN',
    format: 'region',
    description: 'region of mobile numbers without a country code',
    expected: 'a two-letter country code (ISO 3166) such as CN or DE',
  }),
  USER_ACTION_LOG: Type.String({
    default: 'logs/user_action.log',
    description: 'file of the action log, or - for standard output',
    expected: 'a file, or - for standard output',
  }),
  TRUST_PROXY: Type.Optional(
    Type.String({
      format: 'addresses',
      description: 'addresses of the proxies whose X-Forwarded-For counts',
      expected: 'comma-separated addresses or CIDR ranges of the proxies, such as 10.1.2.3, fd12::/16',
    }),
  ),
  KEEP_ALIVE_SECONDS: Type.Integer({
    default: 65,
    minimum: 1,
    maximum: 86_400,
    description: 'how long a connection may be idle',
    expected: 'a whole number from 1 to 86400',
  }),
  WEB_CONCURRENCY: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 128,
    description: 'processes that share the port',
    expected: 'a whole number from 1 to 128',
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    {
      default: 'info',
      description: 'least level that is logged',
      expected: 'fatal, error, warn, info, debug, trace or silent',
    },
  ),
  DOCS: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on',
    description: 'off removes /docs',
    expected: 'on or off',
  }),
  SHUTDOWN_SECONDS: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 300,
    description: 'how long requests in progress may take at the end',
    expected: 'a whole number from 1 to 300',
  }),
})

/** Names of the settings, for the test that compares them with the tables in docs/settings.md. */
export const SETTINGS = Object.keys(Environment.properties)

/** What `serve --help` says of each setting. */
export const SETTING_SUMMARIES = Object.entries(Environment.properties).map(
  ([name, { default: preset, description = '' }]) => ({ name, preset, description }),
)

export type Environment = Static<typeof Environment>

/**
 * The settings with their defaults, as the schema defines them.
 *
 * @param problems gets one line for each setting that breaks its rule, never with its value.
 * @returns undefined if a setting breaks the schema.
 */
export function parseEnvironment(given: Record<string, string>, problems: string[]): Environment | undefined {
  // Ajv coerces blanks, 0x50 and Infinity to numbers. An operator who writes those has made a
  // mistake.
  for (const [name, { type, expected }] of Object.entries(Environment.properties)) {
    if (type !== 'integer' || given[name] === undefined || /^\d{1,9}$/.test(given[name])) continue
    problems.push(`${name}: expected ${expected}`)
    delete given[name]
  }
  try {
    return envSchema<Environment>({
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

/** The parts of a comma-separated list, without blanks around them. */
export function listed(text: string): string[] {
  return text === '' ? [] : text.split(',').map((part) => part.trim())
}

/** The ranges of a comma-separated list. Undefined for a part that is no address or range. */
export function addressRanges(text: string): (AddressRange | undefined)[] {
  return listed(text).map(addressRange)
}
