import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { environmentOf, startBackends } from '../helper.js'
import { refusedAtOnce } from '../support/refused-at-once.js'
import { startRedis } from '../support/servers.js'
import { runCli, startService, temporaryDirectory } from '../support/service-process.js'
import { startPostgresWithPasswords } from '../support/topologies.js'

const backends = await startBackends(t)
const env = { ...environmentOf(backends), PORT: '0' }

t.test('200 from /readyz, then exit 0 after SIGTERM, with both stores there and migrated', async (t) => {
  const service = await startService(t, { env: { ...env, PORT: undefined } })

  const ready = await fetch(`${service.url}/readyz`)

  t.equal(ready.status, 200)
  const { code, stderr } = await service.stop('SIGTERM')
  t.equal(code, 0)
  t.equal(stderr, '')
})

t.test('exit 1 at once with one line that says what to do', async (t) => {
  t.test('the port is in use', async (t) => {
    const occupant = createServer().listen(0, '127.0.0.1')
    await once(occupant, 'listening')
    t.teardown(() => occupant.close())
    const { port } = occupant.address() as { port: number }

    const exit = await runCli(['serve'], { ...env, PORT: String(port) })

    refusedAtOnce(t, exit, new RegExp(`port ${port} on 127.0.0.1 is in use`))
  })

  t.test('HOST is not an address of this machine', async (t) => {
    const exit = await runCli(['serve'], { ...env, HOST: '192.0.2.1' })

    refusedAtOnce(t, exit, /HOST: 192\.0\.2\.1/)
  })

  t.test('a setting is wrong, and no value is printed', async (t) => {
    const exit = await runCli(['serve'], { ...env, JWT_SECRET: 'hunter2', PORT: 'hunter2' })

    refusedAtOnce(t, exit, /PORT: .*JWT_SECRET: |JWT_SECRET: .*PORT: /)
    t.notMatch(exit.stderr, 'hunter2')
  })

  t.test('TRUST_PROXY covers every address', async (t) => {
    for (const TRUST_PROXY of ['0.0.0.0/0', '::/0', '::ffff:0:0/96']) {
      refusedAtOnce(
        t,
        await runCli(['serve'], { ...env, TRUST_PROXY }),
        /TRUST_PROXY: .* chooses the address/,
      )
    }
  })

  t.test('a password in a URL is not escaped, and no part of it is printed', async (t) => {
    const wrong = [
      { DATABASE_URL: 'postgres://auth:hun@ter2@127.0.0.1/auth' },
      { DATABASE_URL: 'postgres://auth:50%hunter2@127.0.0.1/auth' },
      { REDIS_URL: 'redis://:1/hunter2@127.0.0.1' },
    ]

    for (const [index, command] of [['serve'], ['migrate'], ['user', 'show', '--user', '1']].entries()) {
      const exit = await runCli(command, { ...env, ...wrong[index] })

      refusedAtOnce(t, exit, /_URL: expected .* percent-escaped/)
      t.notMatch(exit.stdout + exit.stderr, /hun|ter2/)
    }
  })

  t.test('the action log cannot be written', async (t) => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')

    const exit = await runCli(['serve'], { ...env, USER_ACTION_LOG: join(file, 'user_action.log') })

    refusedAtOnce(t, exit, /cannot write the log/)
  })

  t.test('the database is not migrated', async (t) => {
    const exit = await runCli(['serve'], { ...env, DATABASE_URL: await emptyDatabase(t) })

    refusedAtOnce(t, exit, /schema is not up to date: run auth-service migrate/)
  })

  t.test('the schema is newer, for serve and for migrate', async (t) => {
    const { databaseUrl, sql } = await startBackends(t)
    await sql`insert into auth_service_migration (hash, created_at)
      select 'of a later version', max(created_at) + 1 from auth_service_migration`

    const [serve, migrate] = await Promise.all(
      ['serve', 'migrate'].map((command) => runCli([command], { ...env, DATABASE_URL: databaseUrl })),
    )

    refusedAtOnce(t, serve, /schema is newer/)
    refusedAtOnce(t, migrate, /schema is newer/)
  })

  t.test('the database does not exist', async (t) => {
    const DATABASE_URL = backends.databaseUrl.replace(/[^/]+$/, 'no_such_database')

    const exits = await Promise.all(
      ['serve', 'migrate'].map((name) => runCli([name], { ...env, DATABASE_URL })),
    )

    for (const exit of exits) refusedAtOnce(t, exit, /PostgreSQL refuses.*no_such_database/)
  })

  t.test('the database password is wrong, and is not printed', async (t) => {
    const { url } = await startPostgresWithPasswords(t)
    const sql = postgres(url, { max: 1 })
    await sql.unsafe(`create role app login password 'right' superuser`)
    await sql.end()
    const as = (who: string) => url.replace('postgres@', `${who}@`)

    const [wrong, none, right] = await Promise.all(
      ['app:hunter2', 'app', 'app:right'].map((who) =>
        runCli(['migrate'], { ...env, DATABASE_URL: as(who) }),
      ),
    )

    refusedAtOnce(t, wrong, /PostgreSQL refuses/)
    refusedAtOnce(t, none, /PostgreSQL refuses.* a password is asked for, and none is given/)
    t.notMatch(`${wrong?.stderr}`, 'hunter2')
    t.equal(right?.code, 0, `${right?.stderr}`)
  })

  t.test('the Redis password is wrong, and is not printed', async (t) => {
    const redis = await startRedis({ args: ['--requirepass', 'right'] })
    t.teardown(() => redis.stop())
    const as = (who: string) => redis.url.replace('redis://', `redis://${who}`)

    const [wrong, none] = await Promise.all(
      [':hunter2@', ''].map((who) => runCli(['serve'], { ...env, REDIS_URL: as(who) })),
    )

    refusedAtOnce(t, wrong, /Redis refuses/)
    refusedAtOnce(t, none, /Redis refuses/)
    t.notMatch(`${wrong?.stderr}`, 'hunter2')
  })

  for (const policy of ['allkeys-lru', 'volatile-ttl']) {
    t.test(`Redis may evict keys: ${policy}`, async (t) => {
      const redis = await startRedis({ args: ['--maxmemory-policy', policy] })
      t.teardown(() => redis.stop())

      const exit = await runCli(['serve'], { ...env, REDIS_URL: redis.url })

      refusedAtOnce(t, exit, new RegExp(`maxmemory-policy is ${policy}.*noeviction`))
    })
  }
})

t.test('migrate', async (t) => {
  t.test(
    'exit 0 for each of five parallel runs on an empty database; each migration runs once',
    async (t) => {
      const DATABASE_URL = await emptyDatabase(t)

      const exits = await Promise.all(
        Array.from({ length: 5 }, () => runCli(['migrate'], { ...env, DATABASE_URL })),
      )

      for (const { code, stdout, stderr } of exits) {
        t.equal(code, 0, stderr)
        t.match(stdout, /^the database schema is up to date\n$/m)
      }
      const sql = postgres(DATABASE_URL, { max: 1 })
      t.teardown(() => sql.end())
      const rows = await sql`select hash, count(*)::int as times from auth_service_migration group by hash`
      t.ok(rows.length > 0)
      t.same(
        rows.filter(({ times }) => times !== 1),
        [],
      )
    },
  )

  t.test('exit 0 again on the same database, with which serve is ready', async (t) => {
    const DATABASE_URL = await emptyDatabase(t)
    await runCli(['migrate'], { ...env, DATABASE_URL })

    const again = await runCli(['migrate'], { ...env, DATABASE_URL })

    t.equal(again.code, 0, again.stderr)
    const service = await startService(t, { env: { ...env, DATABASE_URL, PORT: undefined } })
    t.equal((await fetch(`${service.url}/readyz`)).status, 200)
  })
})

/** The URL of a database without any table. */
async function emptyDatabase(t: Test): Promise<string> {
  const name = `empty_${randomBytes(8).toString('hex')}`
  await backends.sql.unsafe(`create database ${name}`)
  t.teardown(() => backends.sql.unsafe(`drop database ${name} with (force)`))
  return backends.databaseUrl.replace(/[^/]+$/, name)
}
