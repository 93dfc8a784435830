import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import connect from 'postgres'
import t, { type Test } from 'tap'
import { migrate } from '../../src/stores/postgres/migrations.js'
import { type Answer, build, PASSWORD, type Service } from '../helper.js'
import { startTap } from '../mutants/tap.js'
import { provisioner } from '../support/provisioner.js'
import { signalAll, startPostgres, startRedis, until } from '../support/servers.js'

const NEW_MOBILE = '+8613900139000'
const NEW_PASSWORD = 'eight dry parasols'

/** The promised limits in milliseconds, and slack for a busy machine. */
const ANSWER_LIMIT_MS = 500
const HASHING_LIMIT_MS = 2000
const SLACK_MS = 150

const UNAVAILABLE = { status: 503, body: { code: 503, error: 'temporarily_unavailable' } }

for (const [name, begin, end] of [
  ['killed', ({ redis }: Service) => redis.stop(), ({ redis }: Service) => startRedis({ port: redis.port })],
  [
    'hanging',
    ({ redis }: Service) => redis.process.kill('SIGSTOP'),
    ({ redis }: Service) => redis.process.kill('SIGCONT'),
  ],
] as const) {
  t.test(`Redis ${name}`, async (t) => {
    const { service, userId, sibling } = await start(t)
    const token = await service.login()
    await begin(service)

    t.test('200 for adding a user and for showing one', async (t) => {
      t.match(await sibling.add({ mobile: NEW_MOBILE, password: NEW_PASSWORD }), { status: 200 })
      t.match(await sibling.find(userId), { status: 200, body: { data: { user_id: userId } } })
    })

    t.test('503 for a new password', async (t) => {
      await refusesInTime(t, HASHING_LIMIT_MS, () => sibling.setPassword(userId, NEW_PASSWORD))
    })

    t.test('503 for ending a session and for disabling a user', async (t) => {
      await refusesInTime(t, ANSWER_LIMIT_MS, () => sibling.endSession(userId))
      await refusesInTime(t, ANSWER_LIMIT_MS, () => sibling.setStatus(userId, 'disabled'))
    })

    t.test('200 for the repeated request once Redis is back; the old password still logs in', async (t) => {
      const started = await end(service)
      if (typeof started === 'object') t.teardown(started.stop)
      await isReady(service)
      const disabled = await sibling.setStatus(userId, 'disabled')

      t.match(disabled, { status: 200, body: { data: { status: 'disabled', logged_in: false } } })
      t.match(await service.identify(token), { status: 401, body: { error: 'user_disabled' } })
      t.equal((await sibling.setStatus(userId, 'active')).status, 200)
      t.match(await service.identify(token), { status: 401, body: { error: 'session_ended' } })
      t.ok(await service.login({ password: PASSWORD }), 'with the old password')
    })
  })
}

t.test('PostgreSQL hangs', async (t) => {
  const { service, userId, sibling, postgres } = await startOnTappedPostgres(t)
  const token = await service.login()
  const before = await rows(service)
  signalAll(postgres, 'SIGSTOP')

  t.test('503 in time from every route for users', async (t) => {
    const user = { mobile: NEW_MOBILE, password: NEW_PASSWORD }
    await refusesInTime(t, HASHING_LIMIT_MS, () => sibling.add(user))
    await refusesInTime(t, HASHING_LIMIT_MS, () => sibling.setPassword(userId, NEW_PASSWORD))
    await refusesInTime(t, ANSWER_LIMIT_MS, () => sibling.find(userId))
    await refusesInTime(t, ANSWER_LIMIT_MS, () => sibling.setStatus(userId, 'disabled'))
    await refusesInTime(t, ANSWER_LIMIT_MS, () => sibling.endSession(userId))
  })

  t.test('commits none of the refused writes once PostgreSQL goes on', async (t) => {
    signalAll(postgres, 'SIGCONT')
    await isReady(service)

    t.strictSame(await rows(service), before)
    t.equal((await service.identify(token)).status, 200)
  })
})

t.test('503 where PostgreSQL hangs at the writing statement, which never commits', async (t) => {
  const { service, userId, sibling, postgres, tap } = await startOnTappedPostgres(t)
  const token = await service.login()
  // A connection sends the text of a statement the first time that it uses it.
  const writes: [name: string, text: string, limitMs: number, write: () => Promise<Answer>][] = [
    [
      'POST /users',
      'insert into "user_login"',
      HASHING_LIMIT_MS,
      () => sibling.add({ mobile: NEW_MOBILE, password: NEW_PASSWORD }),
    ],
    [
      'PUT /users/{id}/password',
      'set "password"',
      HASHING_LIMIT_MS,
      () => sibling.setPassword(userId, NEW_PASSWORD),
    ],
    ['PATCH /users/{id}', 'set "status"', ANSWER_LIMIT_MS, () => sibling.setStatus(userId, 'disabled')],
    [
      'DELETE /users/{id}/session',
      'set "last_login_stamp"',
      ANSWER_LIMIT_MS,
      () => sibling.endSession(userId),
    ],
  ]
  for (const [name, text, limitMs, write] of writes) {
    t.test(name, async (t) => {
      const before = await rows(service)
      let stopped = false
      tap.watch((sent) => {
        if (stopped || !sent.includes(text)) return
        stopped = true
        signalAll(postgres, 'SIGSTOP')
      })
      const started = performance.now()
      const answer = await write()
      const ms = performance.now() - started
      tap.watch(() => undefined)
      signalAll(postgres, 'SIGCONT')
      await isReady(service)
      // Statements that wait for PostgreSQL run as soon as it goes on.
      await sleep(300)

      t.ok(stopped, 'the statement was sent')
      t.match(answer, UNAVAILABLE)
      t.ok(ms < limitMs + SLACK_MS, `after ${Math.round(ms)} ms`)
      t.strictSame(await rows(service), before)
      t.equal((await service.identify(token)).status, 200)
    })
  }
})

t.test('503 in time for the passwords that exceed the hashing queue', async (t) => {
  const { service, client, sibling } = await start(t)
  const token = await service.login()
  const slow = await build(t, { backends: service.backends, env: { BCRYPT_COST: '12' } })
  const users = Array.from({ length: 8 * Math.max(1, availableParallelism() - 1) }, (_, index) => ({
    mobile: `+86139001${39_000 + index}`,
    password: NEW_PASSWORD,
  }))

  const answers = await Promise.all(
    users.map(async (user) => {
      const started = performance.now()
      const { status, headers } = await provisioner(slow.url, client).add(user)
      return { user, status, retryAfter: headers.get('retry-after'), ms: performance.now() - started }
    }),
  )

  const refused = answers.filter(({ status }) => status === 503)
  t.ok(refused.length > 0 && refused.every(({ retryAfter }) => retryAfter === '1'))
  t.ok(Math.min(...refused.map(({ ms }) => ms)) < 1000, 'without waiting for the others')
  t.ok(answers.every(({ status }) => status === 503 || status === 200))
  const slowest = Math.max(...answers.map(({ ms }) => ms))
  t.ok(slowest < HASHING_LIMIT_MS + SLACK_MS, `slowest after ${Math.round(slowest)} ms`)
  t.equal((await slow.identify(token)).status, 200, 'checks go on')
  t.equal((await sibling.add(refused.at(-1)?.user)).status, 200, 'another try adds the user')
})

async function start(t: Test, env: NodeJS.ProcessEnv = {}) {
  const service = await build(t, { env })
  const userId = await service.addUser()
  const client = await service.addClient(['users'])
  return { service, userId, client, sibling: provisioner(service.url, client) }
}

/** An instance with a PostgreSQL of its own, which the test may stop, and a tap in between. */
async function startOnTappedPostgres(t: Test) {
  const postgres = await startPostgres()
  const redis = await startRedis()
  const tap = await startTap(postgres.port)
  const sql = connect(postgres.url, { max: 1, onnotice: () => undefined })
  t.teardown(async () => {
    tap.close()
    await sql.end({ timeout: 1 })
    await redis.stop()
    await postgres.stop()
  })
  await migrate({ url: postgres.url })
  const databaseUrl = postgres.url.replace(`:${postgres.port}`, `:${tap.port}`)
  const service = await build(t, { backends: { databaseUrl, redis, sql } })
  const userId = await service.addUser()
  const sibling = provisioner(service.url, await service.addClient(['users']))
  // Caches the credentials before anything hangs.
  await sibling.find(userId)
  return { service, userId, sibling, postgres, tap }
}

async function refusesInTime(t: Test, limitMs: number, ask: () => Promise<Answer>): Promise<void> {
  const started = performance.now()
  const answer = await ask()
  const ms = performance.now() - started

  t.match(answer, UNAVAILABLE)
  t.equal(answer.headers.get('retry-after'), '1')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(answer.headers.get('www-authenticate'), null)
  t.ok(ms < limitMs + SLACK_MS, `after ${Math.round(ms)} ms`)
}

async function rows({ sql }: Service) {
  return [...(await sql`select * from user_login order by user_id`)]
}

function isReady(service: Service): Promise<void> {
  return until(async () => {
    const { status } = await service.call('GET', '/readyz')
    if (status !== 200) throw new Error(`readyz: ${status}`)
  })
}
