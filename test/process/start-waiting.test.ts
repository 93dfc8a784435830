import assert from 'node:assert/strict'
import t, { type Test } from 'tap'
import { environmentOf, startBackends } from '../helper.js'
import { freePort, signalAll, startPostgres, startRedis, until } from '../support/servers.js'
import { type Exit, type Running, runCli, spawnCli } from '../support/service-process.js'

/** How long a start waits for Redis or PostgreSQL before it gives up. */
const GIVES_UP_AFTER_MS = 60_000

/** The promised second after a store is back, with slack for a busy machine. */
const NOTICED_WITHIN_MS = 2000

const { databaseUrl, redis } = await startBackends(t)
const env = environmentOf({ databaseUrl, redis })

t.test('exit 1 after a minute without a store', async (t) => {
  // Both minutes pass at the same time.
  t.setTimeout(2 * GIVES_UP_AFTER_MS)
  const nobody = await freePort()
  const cases = {
    PostgreSQL: { ...env, DATABASE_URL: `postgres://app:hunter2@127.0.0.1:${nobody}/auth` },
    Redis: { ...env, REDIS_URL: `redis://:hunter2@127.0.0.1:${nobody}` },
  }

  const exits = await Promise.all(
    Object.entries(cases).map(async ([store, env]) => {
      const before = performance.now()
      const exit = await runCli(['serve'], { ...env, PORT: '0' })
      return { store, exit, ms: performance.now() - before }
    }),
  )

  for (const { store, exit, ms } of exits) {
    t.test(`logs ${store} once a second, and ends with one line on standard error`, async (t) => {
      const lines = waitingLines(exit)

      t.ok(ms > GIVES_UP_AFTER_MS - 1000 && ms < GIVES_UP_AFTER_MS + 5000, `ended after ${Math.round(ms)} ms`)
      t.equal(exit.code, 1)
      t.match(exit.stderr, new RegExp(`^auth-service: ${store} is not ready after 60 s: [^\n]+\n$`))
      t.ok(lines.length >= 55 && lines.length <= 61, `${lines.length} lines in a minute`)
      for (const { msg } of lines) t.match(msg, new RegExp(`^waiting for ${store}: .*ECONNREFUSED`))
      const gaps = lines.slice(1).map(({ time }, index) => time - (lines[index]?.time ?? 0))
      t.same(
        gaps.filter((ms) => ms < 500 || ms > 1500),
        [],
        'a second lies between two lines, but for the time of an attempt',
      )
      t.notMatch(exit.stdout + exit.stderr, 'hunter2')
    })
  }
})

t.test('listens soon after Redis has come', async (t) => {
  const redisPort = await freePort()
  const service = await startWaiting(t, { ...env, REDIS_URL: `redis://127.0.0.1:${redisPort}` })
  await until(() => saidTwice(service, 'Redis'))

  const late = await startRedis({ port: redisPort })
  t.teardown(() => late.stop())

  await listensSoon(t, service)
})

t.test('listens soon after a hanging Redis goes on', async (t) => {
  const hanging = await startRedis()
  t.teardown(() => hanging.stop())
  hanging.process.kill('SIGSTOP')
  const service = await startWaiting(t, { ...env, REDIS_URL: hanging.url })
  await until(() => saidTwice(service, 'Redis'))

  hanging.process.kill('SIGCONT')

  await listensSoon(t, service)
})

t.test('serve listens and migrate ends soon after a hanging PostgreSQL goes on', async (t) => {
  const hanging = await startPostgres()
  t.teardown(() => hanging.stop())
  await runCli(['migrate'], { ...env, DATABASE_URL: hanging.url })
  signalAll(hanging, 'SIGSTOP')
  const service = await startWaiting(t, { ...env, DATABASE_URL: hanging.url })
  const migrate = spawnCli(['migrate'], { env: { ...env, DATABASE_URL: hanging.url } })
  await until(() => saidTwice(service, 'PostgreSQL'))
  await until(() => saidTwice(migrate, 'PostgreSQL'))

  signalAll(hanging, 'SIGCONT')

  await listensSoon(t, service)
  t.equal((await migrate.exited).code, 0)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`ends at once, without an error, after ${signal} while it waits`, async (t) => {
    const service = await startWaiting(t, { ...env, REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
    await until(() => saidTwice(service, 'Redis'))
    const before = performance.now()

    const { stderr } = await service.stop(signal)

    t.ok(performance.now() - before < NOTICED_WITHIN_MS)
    t.equal(stderr, '')
  })
}

type Waiting = Running & { url: string }

/** A service that need not listen yet. */
async function startWaiting(t: Test, env: NodeJS.ProcessEnv): Promise<Waiting> {
  const port = await freePort()
  const service = spawnCli(['serve'], { env: { ...env, PORT: String(port) } })
  t.teardown(() => service.stop())
  return { ...service, url: `http://127.0.0.1:${port}` }
}

function saidTwice(service: Running, store: string): void {
  const lines = waitingLines({ stdout: service.stdout() })
  if (lines.length < 2) throw new Error(`it does not wait: ${service.stdout()} ${service.stderr()}`)
  if (!lines.every(({ msg }) => msg.startsWith(`waiting for ${store}: `))) throw new Error(service.stdout())
}

async function listensSoon(t: Test, service: Waiting): Promise<void> {
  const before = performance.now()
  await until(async () => t.equal((await fetch(`${service.url}/livez`)).status, 200))
  const ms = performance.now() - before
  t.ok(ms < NOTICED_WITHIN_MS, `listens ${Math.round(ms)} ms after the store is there`)
  t.equal((await fetch(`${service.url}/readyz`)).status, 200)
  await until(() => assert.match(service.stdout(), new RegExp(`"msg":"listening at ${service.url}"`)))
  t.pass('and says where')
}

function waitingLines({ stdout }: Pick<Exit, 'stdout'>): { time: number; msg: string }[] {
  const lines = stdout.split('\n').filter((line) => line.includes('"waiting for '))
  return lines.map((line) => JSON.parse(line)).map(({ time, msg }) => ({ time: Date.parse(time), msg }))
}
