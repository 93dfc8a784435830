import assert from 'node:assert'
import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { newKey } from '../../src/tokens/keys/new-key.js'
import { environmentOf, logIn, startBackends, userInserter } from '../helper.js'
import { PATIENCE } from '../support/patience.js'
import { childrenOf, freePort, until } from '../support/servers.js'
import { spawnCli, startService, temporaryDirectory } from '../support/service-process.js'
import { keyFile, publishedBy } from '../support/signing-keys.js'
import { headerOf } from '../support/tokens/forge.js'

const PROCESSES = 3

const backends = await startBackends(t)
await userInserter(backends.sql)()

t.test('SIGHUP', async (t) => {
  t.test('reads the key file again, and logs it even where nothing has changed', async (t) => {
    const { first, second, file, service } = await startBehindLink(t)
    const said = () => service.stdout().match(/keys that count/g)?.length
    t.equal(said(), 1)

    process.kill(service.pid, 'SIGHUP')
    await until(() => assert.equal(said(), 2), PATIENCE)
    file.replace(second, first)
    process.kill(service.pid, 'SIGHUP')
    await until(() => assert.equal(said(), 3), PATIENCE)

    t.strictSame(await publishedBy(service.url), [second.kid, first.kid])
    t.equal(headerOf(await logIn(service.url)).kid, second.kid)
  })

  t.test('does not end the process where the file is invalid or missing', async (t) => {
    const { first, file, service } = await startBehindLink(t)
    file.write('hunter2')
    process.kill(service.pid, 'SIGHUP')
    await until(() => assert.match(service.stdout(), /expected a JWK set/), PATIENCE)
    rmSync(file.path)
    process.kill(service.pid, 'SIGHUP')
    await until(() => assert.match(service.stdout(), /cannot be read \(ENOENT\)/), PATIENCE)

    t.equal(headerOf(await logIn(service.url)).kid, first.kid)
    t.notMatch(service.stdout() + service.stderr(), 'hunter2')
  })

  t.test('does not end a service without JWT_KEYS_FILE, which logs that it is not set', async (t) => {
    const service = await startService(t, { env: environmentOf(backends) })
    process.kill(service.pid, 'SIGHUP')
    await until(() => assert.match(service.stdout(), /JWT_KEYS_FILE is not set/), PATIENCE)

    t.ok(await logIn(service.url))
  })

  for (const WEB_CONCURRENCY of ['1', '2']) {
    t.test(`does not end a service that waits for a store, WEB_CONCURRENCY=${WEB_CONCURRENCY}`, async (t) => {
      const nobody = `redis://127.0.0.1:${await freePort()}`
      const env = { ...environmentOf(backends), REDIS_URL: nobody, PORT: '0', WEB_CONCURRENCY }
      const running = spawnCli(['serve'], { env })
      const waits = () => running.stdout().match(/waiting for Redis/g)?.length ?? 0
      await until(() => assert.ok(waits() > 0), PATIENCE)
      const before = waits()

      for (const pid of [running.pid, ...childrenOf(running.pid)]) process.kill(pid, 'SIGHUP')
      await until(() => assert.ok(waits() > before), PATIENCE)

      const { code, signal, stderr } = await running.stop('SIGTERM')
      t.equal(code, 0, `${signal} ${stderr}`)
    })
  }

  t.test('reaches all processes through the supervisor, and ends none', async (t) => {
    const { first, second, file, service } = await startBehindLink(t, { WEB_CONCURRENCY: String(PROCESSES) })
    await until(
      () => assert.equal(service.stdout().match(/process \d+ listens/g)?.length, PROCESSES),
      PATIENCE,
    )
    const workers = childrenOf(service.pid).sort()

    file.replace(second, first)
    process.kill(service.pid, 'SIGHUP')
    const readers = () => {
      const lines = service.stdout().split('\n')
      const read = lines.filter((line) => line.includes(`count: ${second.kid}`))
      return [...new Set(read.map((line): number => JSON.parse(line).pid))].sort()
    }
    await until(() => assert.deepEqual(readers(), workers), PATIENCE)

    t.strictSame(childrenOf(service.pid).sort(), workers)
    for (let time = 0; time < 5 * PROCESSES; time++) {
      t.strictSame(await publishedBy(service.url), [second.kid, first.kid])
    }
  })
})

/** A service whose JWT_KEYS_FILE is a link: no file event comes when its target changes. */
async function startBehindLink(t: Test, env: NodeJS.ProcessEnv = {}) {
  const [first, second] = [newKey('EdDSA'), newKey('ES256')]
  const file = keyFile(first)
  const link = join(temporaryDirectory(), 'keys.json')
  symlinkSync(file.path, link)
  const service = await startService(t, { env: { ...environmentOf(backends), JWT_KEYS_FILE: link, ...env } })
  return { first, second, file, service }
}
