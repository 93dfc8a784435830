import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t from 'tap'
import { environmentOf, MOBILE, PASSWORD, send, startBackends, userInserter } from '../helper.js'
import { freePort, until } from '../support/servers.js'
import { startService } from '../support/service-process.js'

const backends = await startBackends(t)
await userInserter(backends.sql)({ mobile: MOBILE })
const env = environmentOf(backends)
const redis = new Redis(backends.redis.url)
t.teardown(() => redis.disconnect())

for (const [signal, WEB_CONCURRENCY] of [
  ['SIGINT', '1'],
  ['SIGTERM', '1'],
  ['SIGINT', '2'],
] as const) {
  t.test(
    `200 for a login in flight when ${signal} comes twice, WEB_CONCURRENCY=${WEB_CONCURRENCY}`,
    async (t) => {
      const service = await startService(t, { env: { ...env, WEB_CONCURRENCY } })
      const login = send(service.url, 'POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } })
      await until(async () => {
        const [row] = await redis.keys('login_failures:account:*')
        assert.ok(row, 'the login has begun')
      })

      process.kill(service.pid, signal)
      process.kill(service.pid, signal)

      const [{ status }, { code, stdout }] = await Promise.all([login, service.exited])
      t.equal(status, 200)
      t.equal(code, 0)
      t.match(stdout, `${signal}: closing`)
      await redis.flushall()
    },
  )
}

t.test('ends at once at a signal that follows the first after more than a second', async (t) => {
  const service = await startService(t, { env: { ...env, SHUTDOWN_SECONDS: '60' } })
  // A request that does not end keeps the service closing.
  const controller = new AbortController()
  const endless = new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode('{')) })
  const request = fetch(`${service.url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: endless,
    duplex: 'half',
    signal: controller.signal,
  } as RequestInit).catch(() => undefined)
  t.teardown(() => controller.abort())
  process.kill(service.pid, 'SIGTERM')
  await until(() => assert.match(service.stdout(), /SIGTERM: closing/))
  const began = performance.now()
  await until(() => assert.ok(performance.now() - began > 1100))

  process.kill(service.pid, 'SIGTERM')

  t.equal((await service.exited).code, 1)
  await request
})

t.test('the health check of the image', async (t) => {
  const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
  const dist = fileURLToPath(new URL('../../dist/', import.meta.url))
  const command = /HEALTHCHECK[^\n]*\n {2}CMD (.*)\n/.exec(dockerfile)?.[1]?.replace('/app/dist/', dist) ?? ''
  const proxy = `http://127.0.0.1:${await freePort()}`
  const check = (PORT: number) =>
    spawnSync('sh', ['-c', command], {
      env: { PATH: process.env.PATH, PORT: String(PORT), HTTP_PROXY: proxy, NODE_USE_ENV_PROXY: '1' },
    }).status

  t.test('exit 0 while the service answers, whatever HTTP_PROXY says', async (t) => {
    const { port } = await startService(t, { env })
    t.equal(check(port), 0)
  })

  t.test('exit 1 while nothing listens', async (t) => {
    t.equal(check(await freePort()), 1)
  })
})
