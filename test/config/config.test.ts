import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/config.js'
import { SETTINGS } from '../../src/config/environment.js'
import { FILE_SETTINGS } from '../../src/config/secret-files.js'
import { OperatorError } from '../../src/refusals/operator-error.js'
import { SECRET } from '../helper.js'
import { createAuthority } from '../support/certificates.js'
import { temporaryDirectory } from '../support/service-process.js'

const STORES = { DATABASE_URL: 'postgres://u:p@db.test:5432/auth', REDIS_URL: 'redis://redis.test:6379' }
const SERVERS = { ...STORES, JWT_SECRET: SECRET }
const EARLIER = [SECRET.replace('kXp', 'pXk'), SECRET.replace('kXp', 'Xkp')]

/** A password with every character that has a meaning in a URL. */
const ODD = `p@s:s/w?o#r%d 100%25,"'[]{}|\\^~+&=é`

const IN_PASSWORD = [
  '@',
  '#',
  '/',
  '?',
  ':',
  '%',
  ' ',
  '\t',
  '\n',
  '@@',
  '%zz',
  '%ff',
  '%4',
  '/@',
  '?@',
  '#@',
  '@[',
  ':@',
]

/**
 * URLs with such a character unescaped, and others whose host or path may be a part of a password.
 */
const AMBIGUOUS: Record<string, string[]> = {
  DATABASE_URL: [
    ...IN_PASSWORD.map((mark) => `postgres://auth:Zq7${mark}Wx8@db.test/auth`),
    ...IN_PASSWORD.map((mark) => `postgres://Zq7${mark}Wx8:p@db.test:5432/auth?sslmode=verify-full`),
    ...[
      'postgres://auth:1/Wx8@db.test/auth',
      'postgres://auth:1?Wx8@db.test',
      'postgres://auth:1#Wx8@db.test',
    ],
    ...['postgres://auth:p@Zq7,Wx8/auth', 'postgres://auth:p@Zq7:x8/auth', 'postgres://auth:p@Zq7:0/auth'],
    ...['postgres://auth:p@Zq7:65536/auth', 'postgres://auth:p@/Zq7', 'postgres://auth:p@:5432/Zq7'],
    ...['postgres://auth:p@Zq7$Wx8/auth', 'postgres://auth:p@Zq7%40Wx8/auth', 'postgres://auth:p@[Zq7]/auth'],
    ...['postgres://u:p@h/auth?host=Zq7%40Wx8', 'postgres://u:p@h/auth?port=Zq7', 'postgres://u:p@h/%ff?Zq7'],
    'postgres://u:p@h/auth#Zq7',
  ],
  REDIS_URL: [
    ...[...IN_PASSWORD, ','].map((mark) => `redis://:Zq7${mark}Wx8@db.test`),
    ...[...IN_PASSWORD, ','].map((mark) => `rediss://Zq7${mark}Wx8:p@db.test:6379/1`),
    ...['redis://:1/Wx8@db.test', 'redis://:1?Wx8@db.test', 'redis://:1#Wx8@db.test', 'redis://:p@Zq7$Wx8'],
    ...['redis://:p@Zq7:x8', 'redis://:p@', 'redis://:p@Zq7%40Wx8', 'redis://:p@h#Zq7'],
  ],
}

t.test('defaults', async (t) => {
  t.test('gives the embedded service with the documented values for an empty environment', async (t) => {
    const config = loadConfig({})

    t.same(config, {
      production: false,
      host: '127.0.0.1',
      port: 3000,
      stores: { kind: 'embedded', dataDir: resolve('.data') },
      jwtSecret: undefined,
      previousSecrets: [],
      keysFile: undefined,
      issuer: 'auth-service',
      audience: undefined,
      tokenTtlSeconds: 86_400,
      bcryptCost: 12,
      sessionRecovery: 'off',
      throttle: { maxFailures: 10, windowSeconds: 900 },
      defaultRegion: 'CN',
      actionLog: 'logs/user_action.log',
      trustProxy: false,
      keepAliveSeconds: 65,
      processes: 1,
      logLevel: 'info',
      docs: true,
      shutdownSeconds: 10,
    })
  })

  t.test('treats an empty setting as not set', async (t) => {
    const empty = Object.fromEntries(
      [...SETTINGS, ...FILE_SETTINGS.map((name) => `${name}_FILE`)].map((name) => [name, '']),
    )

    t.same(loadConfig(empty), loadConfig({}))
  })

  t.test('ignores unknown settings', async (t) => {
    t.same(loadConfig({ HOME: '/nowhere', npm_config_port: '1', port: '1' }), loadConfig({}))
  })
})

t.test('valid settings', async (t) => {
  t.test('reads every setting', async (t) => {
    const config = loadConfig({
      ...SERVERS,
      NODE_ENV: 'production',
      JWT_PREVIOUS_SECRETS: `${EARLIER[0]}, ${EARLIER[1]}`,
      JWT_KEYS_FILE: 'keys/../keys.json',
      HOST: '0.0.0.0',
      PORT: '0',
      JWT_ISSUER: 'issuer.test',
      JWT_AUDIENCE: 'audience.test',
      TOKEN_TTL_SECONDS: '60',
      BCRYPT_COST: '10',
      SESSION_RECOVERY: 'database',
      LOGIN_MAX_FAILURES: '3',
      LOGIN_WINDOW_SECONDS: '5',
      DEFAULT_REGION: 'DE',
      USER_ACTION_LOG: '-',
      TRUST_PROXY: '10.0.0.1, 192.168.0.0/16,::1,fd00::/8',
      LOG_LEVEL: 'silent',
      DOCS: 'off',
      KEEP_ALIVE_SECONDS: '620',
      WEB_CONCURRENCY: '4',
      DATABASE_POOLING: 'transaction',
      SHUTDOWN_SECONDS: '1',
    })

    t.same(config, {
      production: true,
      host: '0.0.0.0',
      port: 0,
      stores: {
        kind: 'servers',
        database: { url: STORES.DATABASE_URL, pooling: 'transaction' },
        redis: {
          mode: 'single',
          servers: [{ host: 'redis.test', port: 6379 }],
          username: undefined,
          password: undefined,
          database: 0,
          tls: undefined,
          sentinel: undefined,
        },
      },
      jwtSecret: SECRET,
      previousSecrets: EARLIER,
      keysFile: resolve('keys.json'),
      issuer: 'issuer.test',
      audience: 'audience.test',
      tokenTtlSeconds: 60,
      bcryptCost: 10,
      sessionRecovery: 'database',
      throttle: { maxFailures: 3, windowSeconds: 5 },
      defaultRegion: 'DE',
      actionLog: '-',
      trustProxy: '10.0.0.1, 192.168.0.0/16,::1,fd00::/8',
      keepAliveSeconds: 620,
      processes: 4,
      logLevel: 'silent',
      docs: false,
      shutdownSeconds: 1,
    })
  })

  t.test('reads TRUST_PROXY in every unambiguous notation', async (t) => {
    for (const TRUST_PROXY of [
      '10.1.2.3/8',
      ' 10.0.0.1 ,10.0.0.2 ',
      '::ffff:10.0.0.1',
      '::FFFF:10.0.0.0/104',
      '2001:DB8:0:0:0:0:0:1/128',
      'fc00::/7',
      '10.0.0.0/8,10.0.0.0/8',
    ]) {
      t.equal(loadConfig({ ...SERVERS, TRUST_PROXY }).trustProxy, TRUST_PROXY)
    }
  })

  t.test('makes DATA_DIR absolute, so that a later chdir does not matter', async (t) => {
    t.same(loadConfig({ DATA_DIR: 'x/../y' }).stores, { kind: 'embedded', dataDir: resolve('y') })
  })

  t.test('freezes the result', async (t) => {
    const config = loadConfig(SERVERS)

    t.throws(() => Object.assign(config, { jwtSecret: 'another' }), TypeError)
    t.throws(() => Object.assign(config.stores, { kind: 'embedded' }), TypeError)
    t.throws(() => Object.assign(config.previousSecrets, [SECRET]), TypeError)
    t.equal(config.jwtSecret, SECRET)
  })
})

t.test('accepts', async (t) => {
  t.test('URLs of PostgreSQL, without changing them', async (t) => {
    for (const url of [
      'postgres://db.test/auth',
      'postgresql://u@db.test',
      'POSTGRES://u:p@10.0.0.1:5432/auth',
      'postgres://u:p@[::1]:5432/auth?application_name=a&statement_timeout=100',
      `postgres://u:${encodeURIComponent(ODD)}@my_db/auth`,
      'postgres://u:p@%2Frun%2Fpostgresql/auth',
      'postgres://u:p@db.test/auth?host=/run/postgresql',
    ]) {
      const { stores } = loadConfig({ ...SERVERS, DATABASE_URL: url })
      t.match(stores, { database: { url } })
    }
  })

  t.test('URLs of Redis, decoded, and the credentials of one for all', async (t) => {
    const read = (REDIS_URL: string, mode = {}) => {
      const { stores } = loadConfig({ ...SERVERS, ...mode, REDIS_URL })
      return stores.kind === 'servers' ? stores.redis : undefined
    }
    const plain = { mode: 'single', username: undefined, password: undefined, database: 0, tls: undefined }
    const at = (host: string, port = 6379) => ({ servers: [{ host, port }], sentinel: undefined })

    t.same(read('redis://my_redis'), { ...plain, ...at('my_redis') })
    t.same(read('redis://[::1]:7000/2'), { ...plain, ...at('::1', 7000), database: 2 })
    t.same(read('REDISS://u@h'), { ...plain, ...at('h'), username: 'u', tls: {} })
    t.same(read(`rediss://:${encodeURIComponent(ODD)}@h`), { ...plain, ...at('h'), password: ODD, tls: {} })
    t.match(read('redis://a:1, redis://u:p@b:2,redis://u:p@c', { REDIS_MODE: 'cluster' }), {
      servers: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
        { host: 'c', port: 6379 },
      ],
      username: 'u',
      password: 'p',
    })
  })
})

t.test('rejects', async (t) => {
  const bad: Record<string, string[]> = {
    PORT: ['-1', '65536', '3000.5', 'http', '80 81', 'NaN', 'Infinity', ' '],
    DATABASE_URL: [
      'db.test',
      'mysql://u:p@db.test/auth',
      'postgres:///',
      'http://db.test',
      'postgres:auth',
      'postgres://u:%E9@db.test/auth',
    ],
    REDIS_URL: [
      ...[
        'redis.test:6379',
        'http://redis.test',
        'redis:///',
        '/run/redis.sock',
        'redis://h/name',
        'redis://h/1/2',
      ],
      ...[
        'redis://u:%E9@redis.test',
        'redis://u:%zz@redis.test',
        'redis://h:0',
        'redis://h:65536',
        'redis://[::g]',
        'redis://a_b,',
        'redis://%2Frun%2Fredis',
      ],
    ],
    JWT_SECRET: ['short', 'a'.repeat(64)],
    JWT_PREVIOUS_SECRETS: [
      'short',
      'a'.repeat(64),
      `${SECRET},short`,
      `${SECRET},`,
      `,${SECRET}`,
      `${SECRET},,`,
    ],
    TOKEN_TTL_SECONDS: ['0', '-60', '31536001', '1.5', '1 day', ' ', 'Infinity', '-Infinity'],
    BCRYPT_COST: ['9', '16', '12.5', 'high', ' ', 'Infinity'],
    SESSION_RECOVERY: ['on', 'redis', 'OFF', 'true'],
    LOGIN_MAX_FAILURES: ['0', '101', '-1', 'ten', 'Infinity'],
    LOGIN_WINDOW_SECONDS: ['0', '86401', '15 min', 'Infinity'],
    DEFAULT_REGION: ['XX', 'cn', 'CHN', '86', '+86'],
    TRUST_PROXY: [
      'true',
      'loopback',
      'localhost',
      '*',
      ' ',
      ',',
      '10.0.0.1,,10.0.0.2',
      '10.0.0.1,',
      '10.0.0.1 10.0.0.2',
      '10.0.0.0/33',
      '10.0.0.0/08',
      '10.0.0.1/8/8',
      '10.0.0.0/255.0.0.0',
      '10.0.0.1:443',
      '010.0.0.1',
      '10.1',
      '::1/129',
      '[::1]',
      'fe80::1%eth0',
      'fe80::%eth0/64',
      '::ffff:010.0.0.1',
      '0.0.0.0/0',
      '10.0.0.1/0',
      '10.0.0.1, ::/0',
      '::ffff:0.0.0.0/96',
      '::ffff:10.0.0.0/8',
      '0.0.0.0/1,128.0.0.0/1',
      '2000::/3',
    ],
    LOG_LEVEL: ['verbose', 'INFO', '30'],
    DOCS: ['yes', 'true', 'ON', '1'],
    KEEP_ALIVE_SECONDS: ['0', '86401', '-65', '65.5', '65s', 'Infinity'],
    SHUTDOWN_SECONDS: ['0', '301', '-10', 'soon', 'Infinity'],
  }

  for (const [name, values] of Object.entries(bad)) {
    t.test(`a bad ${name}, naming it without its value`, async (t) => {
      for (const value of values) {
        const message = refusal(t, { ...SERVERS, [name]: value })

        t.match(message, new RegExp(`^cannot start: ${name}: expected `), JSON.stringify(value))
        t.same(namedIn(message), [name], `${JSON.stringify(value)} is one problem`)
        if (value.length > 4) t.notOk(message.includes(value), 'the value is not repeated')
      }
    })
  }

  t.test('a TRUST_PROXY that covers every address, together with other problems', async (t) => {
    for (const everybody of ['0.0.0.0/0', '::/0', '::ffff:0:0/96', '10.0.0.1/0,::1']) {
      const message = refusal(t, { ...SERVERS, TRUST_PROXY: everybody, PORT: 'http' })

      t.match(message, /TRUST_PROXY: .*everybody \(\/0\) is refused/, everybody)
      t.same(namedIn(message).sort(), ['PORT', 'TRUST_PROXY'])
    }
  })

  t.test(
    'a URL whose password could be read in two ways, naming percent-escapes and no part of it',
    async (t) => {
      for (const [name, urls] of Object.entries(AMBIGUOUS)) {
        for (const url of urls) {
          const message = refusal(t, { ...SERVERS, [name]: url })

          t.match(message, new RegExp(`^cannot start: ${name}: expected .* percent-escaped`), url)
          t.same(namedIn(message), [name], url)
          t.notMatch(message, /Zq7|Wx8|db\.test|\n/, url)
        }
      }
    },
  )

  t.test('such a URL in a file, and as one of several', async (t) => {
    const file = join(temporaryDirectory(), 'url')
    for (const [name, urls] of Object.entries(AMBIGUOUS)) {
      for (const url of urls) {
        writeFileSync(file, `${url}\n`)
        const { [name as 'REDIS_URL']: _, ...others } = SERVERS

        const messages = [
          refusal(t, { ...others, [`${name}_FILE`]: file }),
          ...(name === 'REDIS_URL'
            ? [refusal(t, { ...SERVERS, REDIS_MODE: 'cluster', REDIS_URL: `redis://db.test, ${url}` })]
            : []),
        ]

        for (const message of messages) {
          t.match(message, /^cannot start: \w+: (expected .* percent-escaped|has more than one line)/, url)
          t.notMatch(message, /Zq7|Wx8|db\.test|\n/, url)
        }
      }
    }
  })

  t.test('certificates that cannot be used, naming the parameter without the path', async (t) => {
    const authority = createAuthority()
    const garbage = join(temporaryDirectory(), 'garbage')
    writeFileSync(garbage, 'no certificate')
    const redis: Record<string, RegExp> = {
      [`redis://h?sslrootcert=${authority.certificate}`]: /has certificates for redis:/,
      'rediss://h?sslrootcert=/no/such/file': /its sslrootcert cannot be read \(ENOENT\)/,
      'rediss://h?sslrootcert=': /its sslrootcert cannot be read \(ENOENT\)/,
      [`rediss://h?sslrootcert=${garbage}`]: /in PEM/,
      [`rediss://h?sslcert=${authority.certificate}`]: /needs both sslcert and sslkey/,
      [`rediss://h?sslcert=${authority.certificate}&sslkey=${createAuthority().key}`]: /in PEM/,
      'rediss://h?rejectUnauthorized=false': /can have no parameters but/,
      'rediss://h?tls=': /can have no parameters but/,
      'redis://h?password=Zq7': /can have no parameters but/,
    }
    const postgres: Record<string, RegExp> = {
      'postgres://h/db?sslrootcert=/no/such/file': /its sslrootcert cannot be read \(ENOENT\)/,
      [`postgres://h/db?sslmode=verify-full&sslrootcert=${garbage}`]: /in PEM/,
      [`postgres://h/db?sslmode=no-verify&sslrootcert=${authority.certificate}`]: /use sslmode=verify-full/,
      [`postgres://h/db?sslmode=disable&sslrootcert=${authority.certificate}`]: /use sslmode=verify-full/,
    }

    for (const [name, cases] of Object.entries({ REDIS_URL: redis, DATABASE_URL: postgres })) {
      for (const [url, why] of Object.entries(cases)) {
        const message = refusal(t, { ...SERVERS, [name]: url })

        t.match(message, new RegExp(`^cannot start: ${name}: .*${why.source}`), url)
        t.notMatch(message, /\n|\/no\/such|garbage|Zq7|auth-\w/, url)
      }
    }
  })

  t.test('several addresses of one Redis that disagree', async (t) => {
    const authority = createAuthority()
    const cases: Record<string, RegExp> = {
      'redis://a,rediss://b': /mixes redis:\/\/ and rediss:/,
      'redis://:Zq7@a,redis://:Wx8@b': /has several users or passwords/,
      'redis://Zq7:x@a,redis://Wx8:x@b,redis://c': /has several users or passwords/,
      'redis://a/1,redis://b/2': /names several databases/,
      [`rediss://a?sslrootcert=${authority.certificate},rediss://b?sslrootcert=/tmp/other`]:
        /names several files as sslrootcert/,
    }

    for (const [url, why] of Object.entries(cases)) {
      for (const mode of [{ REDIS_MODE: 'sentinel', REDIS_SENTINEL_NAME: 'n' }, { REDIS_MODE: 'cluster' }]) {
        const message = refusal(t, { ...SERVERS, ...mode, REDIS_URL: url })

        t.match(message, new RegExp(`^cannot start: REDIS_URL: ${why.source}`), url)
        t.notMatch(message, /Zq7|Wx8|\n/)
      }
    }
    t.match(
      refusal(t, { ...SERVERS, REDIS_MODE: 'cluster', REDIS_URL: 'redis://a/1' }),
      /a cluster has none but 0/,
    )
  })

  t.test('all problems at once, in one line, without values', async (t) => {
    const broken = Object.fromEntries(Object.keys(bad).map((name) => [name, `Lk7${name.toLowerCase()}`]))

    const message = refusal(t, broken)

    t.same(namedIn(message).sort(), Object.keys(bad).sort())
    t.notMatch(message, /Lk7|\n/)
  })

  t.test('only one of the two stores, naming the other', async (t) => {
    const { DATABASE_URL, REDIS_URL, JWT_SECRET } = SERVERS

    t.same(namedIn(refusal(t, { DATABASE_URL, JWT_SECRET })), ['REDIS_URL'])
    t.same(namedIn(refusal(t, { REDIS_URL, JWT_SECRET })), ['DATABASE_URL'])
    t.same(namedIn(refusal(t, { REDIS_URL, JWT_SECRET, DATABASE_URL: '' })), ['DATABASE_URL'])
  })

  t.test('servers without a key, which only embedded mode makes', async (t) => {
    t.same(namedIn(refusal(t, STORES)), ['JWT_SECRET'])
    t.same(namedIn(refusal(t, { ...STORES, JWT_SECRET: '' })), ['JWT_SECRET'])
    t.equal(
      loadConfig(STORES, { signs: false }).jwtSecret,
      undefined,
      'a command that signs nothing needs none',
    )
  })

  t.test('an environment with neither JWT_SECRET nor JWT_KEYS_FILE, naming both', async (t) => {
    const message = refusal(t, { NODE_ENV: 'production', ...STORES, JWT_PREVIOUS_SECRETS: SECRET })

    t.match(message, /JWT_SECRET: is missing, and so is JWT_KEYS_FILE: one of them is needed/)
    const { jwtSecret, keysFile } = loadConfig({
      NODE_ENV: 'production',
      ...STORES,
      JWT_KEYS_FILE: '/keys.json',
    })
    t.same({ jwtSecret, keysFile }, { jwtSecret: undefined, keysFile: '/keys.json' })
    t.equal(loadConfig({ ...SERVERS, JWT_KEYS_FILE: '/keys.json' }).jwtSecret, SECRET, 'and both are allowed')
  })

  t.test('NODE_ENV=production with anything missing, naming all of it', async (t) => {
    const bare = refusal(t, { NODE_ENV: 'production' })
    const keyless = refusal(t, { NODE_ENV: 'production', ...STORES })

    t.same(namedIn(bare), ['DATABASE_URL', 'REDIS_URL', 'JWT_SECRET'])
    t.same(namedIn(keyless), ['JWT_SECRET'])
    t.equal(loadConfig({ NODE_ENV: 'production', ...SERVERS }).production, true)
  })
})

/** The message with which this environment is refused. */
function refusal(t: Test, environment: NodeJS.ProcessEnv): string {
  try {
    loadConfig(environment)
  } catch (error) {
    t.type(error, OperatorError)
    return (error as Error).message
  }
  t.fail('the environment was accepted', { environment })
  return ''
}

/** The settings that a message complains about, in its order. */
function namedIn(message: string): string[] {
  return [...message.matchAll(/([A-Z_]+): (?:is|expected|cannot)/g)].map(([, name = '']) => name)
}
