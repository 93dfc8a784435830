import assert from 'node:assert'
import connect from 'postgres'
import t, { type Test } from 'tap'
import { migrate } from '../../src/stores/postgres/migrations.js'
import { type Answer, build, MOBILE, PASSWORD, type Service } from '../helper.js'
import { signalAll, startPostgres, startRedis, until } from '../support/servers.js'

/** The promised limits in milliseconds, and slack for a busy machine. */
const ANSWER_LIMIT_MS = 500
const LOGIN_LIMIT_MS = 2000
const SLACK_MS = 150

t.test('503 in time while Redis is away, 401 session_ended once it is back empty', async (t) => {
  const service = await build(t)
  await service.addUser()
  const token = await service.login()

  await service.redis.stop()
  await refusesInTime(t, service, token, { postgres: 'up', redis: 'away' })
  t.match(
    await service.identify(`${token.slice(0, -8)}AAAAAAAA`),
    { status: 401 },
    'a bad signature needs no store',
  )

  const again = await startRedis({ port: service.redis.port })
  t.teardown(again.stop)
  await becomesReady(service)
  t.match(await service.identify(token), { status: 401, body: { error: 'session_ended' } })
  t.equal((await service.identify(await service.login())).status, 200)
})

t.test('503 in time while Redis hangs, right answers once it goes on', async (t) => {
  const service = await build(t)
  await service.addUser()
  const token = await service.login()

  service.redis.process.kill('SIGSTOP')
  await refusesInTime(t, service, token, { postgres: 'up', redis: 'away' })
  t.equal((await service.call('GET', '/livez')).status, 200)

  service.redis.process.kill('SIGCONT')
  await becomesReady(service)
  // The logout that was answered 503 has taken effect in PostgreSQL, as it may. The late writes to
  // Redis change nothing.
  t.match(await service.identify(token), { status: 401, body: { error: 'session_ended' } })
  t.equal((await service.identify(await service.login())).status, 200)
})

t.test('503 in time while PostgreSQL hangs, and no write commits after its answer', async (t) => {
  const { service, postgres } = await buildOnOwnPostgres(t)
  const token = await service.login()

  const [before] = await service.sql`select last_login_stamp, session_id from user_login`

  signalAll(postgres, 'SIGSTOP')
  await refusesInTime(t, service, token, { postgres: 'away', redis: 'up' })
  signalAll(postgres, 'SIGCONT')

  await becomesReady(service)
  const [after] = await service.sql`select last_login_stamp, session_id from user_login`
  t.strictSame(after, before)
  t.equal((await service.identify(token)).status, 200)
})

t.test('503 in time while PostgreSQL is stopped', async (t) => {
  const { service, postgres } = await buildOnOwnPostgres(t)
  const token = await service.login()

  postgres.process.kill('SIGQUIT')
  await until(async () => assert.equal((await service.call('GET', '/readyz')).status, 503))
  await refusesInTime(t, service, token, { postgres: 'away', redis: 'up' })
})

t.test('503 for login and logout while Redis is full, 200 for checks', async (t) => {
  const service = await build(t)
  await service.addUser()
  const token = await service.login()

  await service.redisClient.config('SET', 'maxmemory', '1mb')
  t.equal((await service.identify(token)).status, 200, 'reading works')
  t.match(await tryLogin(service), UNAVAILABLE)
  t.match(await service.logout(token), UNAVAILABLE)
  await service.redisClient.config('SET', 'maxmemory', '0')
  t.equal((await service.logout(token)).status, 200, 'the same logout again completes it')
})

const UNAVAILABLE = { status: 503, body: { code: 503, error: 'temporarily_unavailable' } }

async function refusesInTime(t: Test, service: Service, token: string, stores: Record<string, string>) {
  const requests: [string, number, () => Promise<Answer>][] = [
    ['identify', ANSWER_LIMIT_MS, () => service.identify(token)],
    ['verify', ANSWER_LIMIT_MS, () => service.verify(token)],
    ['logout', ANSWER_LIMIT_MS, () => service.logout(token)],
    ['login', LOGIN_LIMIT_MS, () => tryLogin(service)],
    ['login of nobody', LOGIN_LIMIT_MS, () => tryLogin(service, '+8613800138099')],
  ]
  for (let round = 0; round < 3; round++) {
    for (const [name, limitMs, request] of requests) {
      const started = performance.now()
      const answer = await request()
      const ms = performance.now() - started

      t.match(answer, UNAVAILABLE, name)
      t.equal(answer.headers.get('retry-after'), '1', name)
      t.equal(answer.headers.get('cache-control'), 'no-store', name)
      t.equal(answer.headers.get('www-authenticate'), null, name)
      t.ok(ms < limitMs + SLACK_MS, `${name} after ${Math.round(ms)} ms`)
    }
  }
  t.match(await service.call('GET', '/readyz'), { status: 503, body: { code: 503, data: stores } })
  t.equal((await service.call('GET', '/livez')).status, 200)
}

function tryLogin(service: Service, mobile = MOBILE): Promise<Answer> {
  return service.call('POST', '/login', { body: { mobile, password: PASSWORD } })
}

/** Within a second of the store's return, and without a restart. */
async function becomesReady(service: Service): Promise<void> {
  const ready = async () => assert.equal((await service.call('GET', '/readyz')).status, 200)
  await until(ready, { withinMs: 1000 + SLACK_MS })
}

/** An instance with a PostgreSQL of its own, which the test may stop. */
async function buildOnOwnPostgres(t: Test) {
  const postgres = await startPostgres()
  const redis = await startRedis()
  const sql = connect(postgres.url, { max: 1, onnotice: () => undefined })
  t.teardown(async () => {
    await sql.end({ timeout: 1 })
    await redis.stop()
    await postgres.stop()
  })
  await migrate({ url: postgres.url })
  const service = await build(t, { backends: { databaseUrl: postgres.url, redis, sql } })
  await service.addUser()
  return { service, postgres }
}
