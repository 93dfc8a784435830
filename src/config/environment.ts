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
 * One property per environment variable: its rule, its default, and what an operator is told who
 * breaks it.
 */
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
      expected: `postgres://user:password@host:5432/database with one host, ${ESCAPED}`,
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
  REDIS_SENTINEL_USERNAME: Type.Optional(Type.String({ expected: 'the user of the sentinels' })),
  REDIS_SENTINEL_PASSWORD: Type.Optional(
    Type.String({ minLength: 1, expected: 'the password of the sentinels' }),
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

/** Names of the settings, for the test that compares them with the tables in docs/settings.md. */
export const SETTINGS = Object.keys(Environment.properties)

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
