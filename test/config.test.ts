import { resolve } from 'node:path'
import t, { type Test } from 'tap'
import { FILE_SETTINGS, loadConfig, SETTINGS } from '../src/config.js'
import { OperatorError } from '../src/errors.js'
import { SECRET } from './helper.js'

const STORES = { DATABASE_URL: 'postgres://u:p@db.test:5432/auth', REDIS_URL: 'redis://redis.test:6379' }
const SERVERS = { ...STORES, JWT_SECRET: SECRET }
const EARLIER = [SECRET.replace('kXp', 'pXk'), SECRET.replace('kXp', 'Xkp')]

t.test('defaults', async (t) => {
  t.test('an empty environment gives the embedded service with the documented values', async (t) => {
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
      processes: 1,
      logLevel: 'info',
      docs: true,
      shutdownSeconds: 10,
    })
  })

  t.test('a setting that is empty counts as not set', async (t) => {
    const empty = Object.fromEntries(
      [...SETTINGS, ...FILE_SETTINGS.map((name) => `${name}_FILE`)].map((name) => [name, '']),
    )

    t.same(loadConfig(empty), loadConfig({}))
  })

  t.test('settings that are not ours are ignored', async (t) => {
    t.same(loadConfig({ HOME: '/nowhere', npm_config_port: '1', port: '1' }), loadConfig({}))
  })
})

t.test('every setting', async (t) => {
  t.test('is read', async (t) => {
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
          sentinelName: undefined,
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
      processes: 4,
      logLevel: 'silent',
      docs: false,
      shutdownSeconds: 1,
    })
  })

  t.test('TRUST_PROXY in every notation that means the same to everybody', async (t) => {
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

  t.test('DATA_DIR is absolute in the result, wherever the process goes later', async (t) => {
    t.same(loadConfig({ DATA_DIR: 'x/../y' }).stores, { kind: 'embedded', dataDir: resolve('y') })
  })

  t.test('the result is frozen', async (t) => {
    const config = loadConfig(SERVERS)

    t.throws(() => Object.assign(config, { jwtSecret: 'another' }), TypeError)
    t.throws(() => Object.assign(config.stores, { kind: 'embedded' }), TypeError)
    t.throws(() => Object.assign(config.previousSecrets, [SECRET]), TypeError)
    t.equal(config.jwtSecret, SECRET)
  })
})

t.test('refused', async (t) => {
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
      'redis.test:6379',
      'http://redis.test',
      'redis:///',
      '/run/redis.sock',
      'redis://u:%E9@redis.test',
      'redis://u:%zz@redis.test',
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
    SHUTDOWN_SECONDS: ['0', '301', '-10', 'soon', 'Infinity'],
  }

  for (const [name, values] of Object.entries(bad)) {
    t.test(`a bad ${name}, by name and without its value`, async (t) => {
      for (const value of values) {
        const message = refusal(t, { ...SERVERS, [name]: value })

        t.match(message, new RegExp(`^cannot start: ${name}: expected `), JSON.stringify(value))
        t.same(namedIn(message), [name], `${JSON.stringify(value)} is one problem`)
        if (value.length > 4) t.notOk(message.includes(value), 'the value is not repeated')
      }
    })
  }

  t.test('a TRUST_PROXY that is everybody, saying so, beside all else that is wrong', async (t) => {
    for (const everybody of ['0.0.0.0/0', '::/0', '::ffff:0:0/96', '10.0.0.1/0,::1']) {
      const message = refusal(t, { ...SERVERS, TRUST_PROXY: everybody, PORT: 'http' })

      t.match(message, /TRUST_PROXY: .*everybody \(\/0\) is refused/, everybody)
      t.same(namedIn(message).sort(), ['PORT', 'TRUST_PROXY'])
    }
  })

  t.test('all problems at once, in one line, and no value', async (t) => {
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

  t.test('servers without a key: one is made up in embedded mode only', async (t) => {
    t.same(namedIn(refusal(t, STORES)), ['JWT_SECRET'])
    t.same(namedIn(refusal(t, { ...STORES, JWT_SECRET: '' })), ['JWT_SECRET'])
    t.equal(
      loadConfig(STORES, { signs: false }).jwtSecret,
      undefined,
      'a command that signs nothing needs none',
    )
  })

  t.test('neither JWT_SECRET nor JWT_KEYS_FILE, naming both; either of them is enough', async (t) => {
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

/** The one message that this environment is refused with. */
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
