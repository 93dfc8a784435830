import assert from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  type Backends,
  environmentOf,
  logIn,
  MOBILE,
  PASSWORD,
  send,
  startBackends,
  userInserter,
} from '../helper.js'
import { childrenOf, freePort, until } from '../support/servers.js'
import { runCli, type ServiceProcess, spawnCli, startService } from '../support/service-process.js'

const PROCESSES = 3

t.test('WEB_CONCURRENCY', async (t) => {
  const backends = await startBackends(t)
  await userInserter(backends.sql)({ mobile: MOBILE })

  t.test('several processes answer on one port and agree about sessions', async (t) => {
    const service = await startAll(t, backends)
    const token = await logIn(service.url)
    // Every request is a new connection, so that every process gets some.
    for (let time = 0; time < 5 * PROCESSES; time++) {
      t.equal((await identify(service, token)).status, 200)
    }
    const newer = await logIn(service.url)
    for (let time = 0; time < 5 * PROCESSES; time++) {
      t.equal((await identify(service, token)).body.error, 'session_superseded')
      t.equal((await identify(service, newer)).status, 200)
    }
  })

  t.test('replaces a process that is killed, while the others go on', async (t) => {
    const service = await startAll(t, backends)
    const token = await logIn(service.url)
    const [victim] = childrenOf(service.pid)
    process.kill(victim ?? 0, 'SIGKILL')
    await until(() => assert.match(service.stdout(), /ended with SIGKILL: starting another/))
    for (let time = 0; time < 10; time++) t.equal((await identify(service, token)).status, 200)
    await until(() => assert.equal(childrenOf(service.pid).length, PROCESSES))
    t.notOk(childrenOf(service.pid).includes(victim ?? 0))
  })

  t.test('replaces a process that is stuck', async (t) => {
    const service = await startAll(t, backends)
    const [victim] = childrenOf(service.pid)
    process.kill(victim ?? 0, 'SIGSTOP')
    await until(() => assert.match(service.stdout(), /has been stuck for 5 s/), { withinMs: 15_000 })
    await until(() => assert.equal(living(service, victim).length, PROCESSES))
    const token = await logIn(service.url)
    for (let time = 0; time < 10; time++) t.equal((await identify(service, token)).status, 200)
  })

  for (const whole of [false, true]) {
    t.test(
      `exit 0 of all processes after SIGTERM to ${whole ? 'the whole group' : 'the supervisor alone'}`,
      async (t) => {
        const service = await startAll(t, backends)
        const children = childrenOf(service.pid)
        const login = send(service.url, 'POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } })
        await sleep(20)
        if (whole) for (const child of children) process.kill(child, 'SIGTERM')
        const { code, signal, stderr } = await service.stop('SIGTERM')
        t.equal(code, 0, `${signal} ${stderr}`)
        t.match((await login).status, /^(200|503)$/)
        await until(() => {
          for (const child of children) assert.throws(() => process.kill(child, 0))
        })
      },
    )
  }

  t.test('exit 0 after SIGTERM while processes are still starting', async (t) => {
    const service = await startService(t, { env: environment(backends) })
    const { code, signal, stderr } = await service.stop('SIGTERM')
    t.equal(code, 0, `${signal} ${stderr}`)
  })

  t.test('exit 0 after SIGTERM while the first process waits for a store', async (t) => {
    const nobody = `redis://127.0.0.1:${await freePort()}`
    const running = spawnCli(['serve'], { env: { ...environment(backends), REDIS_URL: nobody, PORT: '0' } })
    await until(() => assert.match(running.stdout(), /waiting for Redis/))
    const { code, signal, stderr } = await running.stop('SIGTERM')
    t.equal(code, 0, `${signal} ${stderr}`)
  })

  t.test('exit 1 with one line where the port is in use', async (t) => {
    const service = await startAll(t, backends)
    const { code, stderr } = await runCli(['serve'], { ...environment(backends), PORT: String(service.port) })
    t.equal(code, 1)
    t.match(stderr, /^auth-service: port \d+ on 127\.0\.0\.1 is in use by another process: [^\n]*\n$/)
  })

  t.test('exit 1 for several processes with embedded stores', async (t) => {
    const { code, stderr } = await runCli(['serve'], { WEB_CONCURRENCY: '2' })
    t.equal(code, 1)
    t.match(stderr, /WEB_CONCURRENCY: several processes need DATABASE_URL and REDIS_URL/)
  })
})

async function startAll(t: Parameters<typeof startService>[0], backends: Backends): Promise<ServiceProcess> {
  const service = await startService(t, { env: environment(backends) })
  await until(() => assert.equal(service.stdout().match(/process \d+ listens/g)?.length, PROCESSES))
  return service
}

/** The processes without the stuck one, which is listed until it is reaped. */
function living({ pid }: ServiceProcess, stuck: number | undefined): number[] {
  return childrenOf(pid).filter((child) => child !== stuck)
}

function identify({ url }: ServiceProcess, token: string) {
  return send(url, 'GET', '/identify', { token, headers: { connection: 'close' } })
}

function environment(backends: Backends) {
  return { ...environmentOf(backends), WEB_CONCURRENCY: String(PROCESSES) }
}
