import assert from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import t from 'tap'
import { environmentOf, logIn, MOBILE, send, startBackends, userInserter } from '../helper.js'
import { until } from '../support/servers.js'
import { runCli, startService } from '../support/service-process.js'
import { startPgBouncer, startSentinels } from '../support/topologies.js'

t.test('PostgreSQL behind PgBouncer with transaction pooling', async (t) => {
  const backends = await startBackends(t)
  await userInserter(backends.sql)({ mobile: MOBILE })
  const bouncer = await startPgBouncer(backends.databaseUrl)
  t.teardown(() => bouncer.stop())
  const env = {
    ...environmentOf(backends),
    DATABASE_URL: bouncer.url,
    DATABASE_POOLING: 'transaction',
  }

  t.test('exit 1 of serve for a role without lock_timeout, naming the statement that sets it', async (t) => {
    const { code, stderr } = await runCli(['serve'], env)
    t.equal(code, 1)
    t.match(stderr, /run: ALTER ROLE postgres SET lock_timeout = '200ms'/)
  })

  t.test('exit 1 of migrate, whose lock belongs to a session', async (t) => {
    const { code, stderr } = await runCli(['migrate'], env)
    t.equal(code, 1)
    t.match(stderr, /run this command with DATABASE_URL naming PostgreSQL itself/)
  })

  t.test('serves logins, checks and logouts, and accepts one of many parallel logins', async (t) => {
    const name = new URL(backends.databaseUrl).pathname.slice(1)
    await backends.sql.unsafe(`alter role postgres in database ${name} set lock_timeout = '200ms'`)
    await reconnect(bouncer.port)
    const service = await startService(t, { env })

    const token = await logIn(service.url)
    t.equal((await identify(service.url, token)).status, 200)
    t.equal((await send(service.url, 'POST', '/logout', { token })).status, 200)
    t.equal((await identify(service.url, token)).body.error, 'session_ended')

    const tokens = await Promise.all(Array.from({ length: 5 }, () => logIn(service.url)))
    const answers = await Promise.all(tokens.map((each) => identify(service.url, each)))
    t.same(answers.map(({ status }) => status).sort(), [200, 401, 401, 401, 401])

    const last = await logIn(service.url)
    const many = await Promise.all(Array.from({ length: 300 }, () => identify(service.url, last)))
    t.same(new Set(many.map(({ status }) => status)), new Set([200]))
  })
})

t.test('503 and never 401 during a failover by sentinels, then 200', async (t) => {
  const backends = await startBackends(t)
  await userInserter(backends.sql)({ mobile: MOBILE })
  const redis = await startSentinels()
  t.teardown(() => redis.stop())
  const { url } = await startService(t, {
    env: {
      ...environmentOf(backends),
      REDIS_URL: redis.sentinels,
      REDIS_MODE: 'sentinel',
      REDIS_SENTINEL_NAME: redis.name,
      SESSION_RECOVERY: 'database',
    },
  })
  const earlier = await logIn(url)
  const token = await logIn(url)
  t.equal((await identify(url, token)).status, 200)

  const before = await redis.masterPort()
  await redis.killMaster()
  const seen = new Set<number>()
  await until(
    async () => {
      const { status } = await identify(url, token)
      seen.add(status)
      assert.notEqual(await redis.masterPort(), before)
      assert.equal(status, 200)
    },
    { withinMs: 30_000 },
  )
  t.same(seen, new Set([503, 200]), 'an outage is never a 401')
  t.equal((await identify(url, earlier)).body.error, 'session_superseded')
  const began = performance.now()
  const newer = await logIn(url)
  t.ok(performance.now() - began < 5000)
  t.equal((await identify(url, newer)).status, 200)
  t.equal((await identify(url, token)).body.error, 'session_superseded')
})

function identify(url: string, token: string) {
  return send(url, 'GET', '/identify', { token })
}

/** Makes a PgBouncer open new connections to the server. */
async function reconnect(port: number): Promise<void> {
  const admin = postgres(`postgres://postgres@127.0.0.1:${port}/pgbouncer`, {
    max: 1,
    prepare: false,
    fetch_types: false,
  })
  await admin.unsafe('RECONNECT').simple()
  await admin.end({ timeout: 1 })
  await sleep(100)
}
