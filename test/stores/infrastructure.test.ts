import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { environmentOf, logIn, MOBILE, send, startBackends, userInserter } from '../helper.js'
import { createAuthority } from '../support/certificates.js'
import { refusedAtOnce } from '../support/refused-at-once.js'
import { startRedis, until } from '../support/servers.js'
import { runCli, spawnCli, startService } from '../support/service-process.js'
import {
  startCluster,
  startPgBouncer,
  startPostgresWithPasswords,
  startSentinels,
} from '../support/topologies.js'

const backends = await startBackends(t)
await userInserter(backends.sql)({ mobile: MOBILE })
const env = environmentOf(backends)

async function serves(t: Test, more: NodeJS.ProcessEnv) {
  const { url } = await startService(t, { env: { ...env, ...more } })
  const token = await logIn(url)
  t.equal((await send(url, 'GET', '/identify', { token })).status, 200)
  return url
}

t.test('sentinels that ask for a password', async (t) => {
  const redis = await startSentinels({ sentinelPassword: 'three-lanterns' })
  t.teardown(() => redis.stop())
  const sentinel = { REDIS_MODE: 'sentinel', REDIS_SENTINEL_NAME: redis.name, REDIS_URL: redis.sentinels }

  t.test('exit 1 at once without REDIS_SENTINEL_PASSWORD, which the line names', async (t) => {
    refusedAtOnce(t, await runCli(['serve'], { ...env, ...sentinel }), /REDIS_SENTINEL_PASSWORD/)
  })

  t.test('exit 1 at once with a wrong one, which is not printed', async (t) => {
    const exit = await runCli(['serve'], { ...env, ...sentinel, REDIS_SENTINEL_PASSWORD: 'hunter2' })

    refusedAtOnce(t, exit, /WRONGPASS.*REDIS_SENTINEL_PASSWORD/)
    t.notMatch(exit.stdout + exit.stderr, 'hunter2')
  })

  t.test('serves with it, in the database of REDIS_URL', async (t) => {
    const REDIS_URL = redis.sentinels
      .split(',')
      .map((url) => `${url}/3`)
      .join()

    await serves(t, { ...sentinel, REDIS_URL, REDIS_SENTINEL_PASSWORD: 'three-lanterns' })

    const master = new Redis({ port: await redis.masterPort(), db: 3 })
    t.equal((await master.keys('jwt_token:1')).length, 1)
    t.equal(await master.select(0), 'OK')
    t.same(await master.keys('*'), [])
    master.disconnect()
  })

  t.test('exit 1 at once for a database that Redis does not have', async (t) => {
    const REDIS_URL = `${redis.sentinels}/99`
    const exit = await runCli(['serve'], {
      ...env,
      ...sentinel,
      REDIS_URL,
      REDIS_SENTINEL_PASSWORD: 'three-lanterns',
    })

    refusedAtOnce(t, exit, /DB index is out of range/)
  })
})

t.test('one Redis', async (t) => {
  const redis = await startRedis()
  const admin = new Redis(redis.url)
  t.teardown(async () => {
    admin.disconnect()
    await redis.stop()
  })
  const as = (user: string, database = '') => redis.url.replace('redis://', `redis://${user}@`) + database

  t.test('exit 1 at once for a database that it does not have, and writes nothing', async (t) => {
    refusedAtOnce(
      t,
      await runCli(['serve'], { ...env, REDIS_URL: `${redis.url}/99` }),
      /DB index is out of range/,
    )
    t.same(await admin.keys('*'), [])
  })

  const lacking = {
    'without EVAL': '~* -@all +ping +info +role +get +mget +set +pttl +pexpireat +hget +hset +hdel +time',
    'without the keys of sessions': '~login_failures:* +@all',
    'without the keys of attempts': '~jwt_token:* +@all',
    'without SELECT, where the URL names a database': '~* +@all -select',
  }
  for (const [name, rules] of Object.entries(lacking)) {
    t.test(`exit 1 at once for a user ${name}`, async (t) => {
      await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>right', ...rules.split(' '))

      const exit = await runCli(['serve'], { ...env, REDIS_URL: as('app:right', '/1') })

      refusedAtOnce(t, exit, /NOPERM.*docs\/least-privilege\.md/)
    })
  }

  t.test('readyz is 503 as long as the user lacks a right that logins need', async (t) => {
    await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>right', '~*', '+@all')
    const url = await serves(t, { REDIS_URL: as('app:right') })
    t.equal((await send(url, 'GET', '/readyz')).status, 200)

    await admin.call('ACL', 'SETUSER', 'app', '-eval', '-evalsha')
    const { status, body } = await send(url, 'GET', '/readyz')
    t.equal(status, 503)
    t.same(body.data, { postgres: 'up', redis: 'away' })

    await admin.call('ACL', 'SETUSER', 'app', '+eval', '+evalsha')
    t.equal((await send(url, 'GET', '/readyz')).status, 200)
  })
})

t.test('exit 1 at once for a node of a cluster without REDIS_MODE', async (t) => {
  const cluster = await startCluster()
  t.teardown(() => cluster.stop())

  const exit = await runCli(['serve'], { ...env, REDIS_URL: `redis://127.0.0.1:${cluster.ports[0]}` })

  refusedAtOnce(t, exit, /set REDIS_MODE=cluster/)
})

t.test('PgBouncer with session pooling', async (t) => {
  const name = new URL(backends.databaseUrl).pathname.slice(1)
  await backends.sql.unsafe(`alter role postgres in database ${name} set lock_timeout = '200ms'`)
  const bouncer = await startPgBouncer(backends.databaseUrl, { mode: 'session', poolSize: 20 })
  t.teardown(() => bouncer.stop())

  t.test('exit 1 at once of serve, naming the setting that suits it', async (t) => {
    const exit = await runCli(['serve'], { ...env, DATABASE_URL: bouncer.url })

    refusedAtOnce(t, exit, /unsupported startup parameter.*set DATABASE_POOLING=transaction/)
  })

  t.test('serves with this setting', async (t) => {
    await serves(t, { DATABASE_URL: bouncer.url, DATABASE_POOLING: 'transaction' })
  })
})

t.test('sslrootcert=system trusts what Node.js trusts', async (t) => {
  const authority = createAuthority()
  const server = await startPostgresWithPasswords(t, authority.issue('IP:127.0.0.1'))
  const migrate = (more: NodeJS.ProcessEnv) =>
    runCli(['migrate'], { ...env, DATABASE_URL: `${server.url}?sslrootcert=system`, ...more })

  refusedAtOnce(t, await migrate({}), /PostgreSQL refuses: .*sslrootcert in the URL/)
  t.equal((await migrate({ NODE_EXTRA_CA_CERTS: authority.certificate })).code, 0)
})

t.test('waits at its start until PostgreSQL has a free connection', async (t) => {
  const { sql, databaseUrl } = backends
  await sql`create role crowded login`
  await sql.unsafe(
    `grant all on all tables in schema public to crowded; alter role crowded connection limit 0`,
  )
  const running = spawnCli(['serve'], {
    env: { ...env, DATABASE_URL: databaseUrl.replace('postgres@', 'crowded@'), PORT: '0' },
  })
  t.teardown(() => running.stop())

  await until(() => assert.match(running.stdout(), /waiting for PostgreSQL: 53300 /))
  await sql`alter role crowded connection limit 20`

  await until(() => assert.match(running.stdout(), /listening at/))
})

t.test('heeds no variable of libpq', async (t) => {
  const PG = {
    PGHOST: '/nowhere',
    PGPORT: '1',
    PGUSER: 'nobody',
    PGPASSWORD: 'hunter2',
    PGDATABASE: 'nothing',
    PGSSLMODE: 'require',
    PGTARGETSESSIONATTRS: 'any',
    PGOPTIONS: '-c nonsense=1',
    PGAPPNAME: 'other',
  }

  await serves(t, PG)
})

t.test('has the kernel probe idle connections to the stores within seconds', async (t) => {
  const { pid } = await startService(t, { env })

  for (const { port } of [new URL(backends.databaseUrl), new URL(backends.redis.url)]) {
    const connections = execFileSync('ss', ['-tnopH', 'state', 'established', `dport = :${port}`], {
      encoding: 'utf8',
    })
      .split('\n')
      .filter((line) => line.includes(`pid=${pid},`))
    t.ok(connections.length >= 2, `${connections.length} connections to port ${port}`)
    for (const connection of connections) t.match(connection, /timer:\(keepalive,[\d.]+(sec|ms),/)
  }
})
