import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { bannerOf, login, passwordIn } from '../support/embedded-home.js'
import { freePort, until } from '../support/servers.js'
import { CLI, spawnProgram, temporaryDirectory } from '../support/service-process.js'

t.test('flushes to the disk what must survive a power cut', async (t) => {
  const service = await startTraced(t)
  const password = passwordIn(await bannerOf(service))

  t.test('the write-ahead log of a login', async (t) => {
    const before = service.flushesOf('pg_wal')

    const { status } = await login(service, DEMO_MOBILE, password)

    t.equal(status, 200)
    t.ok(service.flushesOf('pg_wal') > before)
  })

  t.test('the first database, before it is renamed into place', async (t) => {
    const trace = service.trace()
    const renamed = trace.search(/rename.*postgres\.new/)

    t.ok(renamed > 0)
    for (const file of ['PG_VERSION', 'base', 'global/pg_control', 'pg_wal/000000010000000000000001']) {
      const flushed = trace.indexOf(`postgres.new/${file}>`)
      t.ok(flushed > 0 && flushed < renamed, file)
    }
  })

  t.test('the data files, when the service stops', async (t) => {
    const before = service.flushesOf('base')

    await service.stop()

    t.ok(service.flushesOf('base') > before)
  })
})

/** The service, with a trace of all that it flushes to the disk. */
async function startTraced(t: Test) {
  const cwd = temporaryDirectory()
  const port = await freePort()
  const path = join(cwd, 'trace')
  const strace = ['-D', '-f', '--seccomp-bpf', '-y', '-o', path, '-e', 'trace=fsync,fdatasync,rename']
  const running = spawnProgram('strace', [...strace, process.execPath, CLI, 'serve'], {
    cwd,
    env: { PORT: String(port) },
  })
  t.teardown(() => running.stop())
  const url = `http://127.0.0.1:${port}`
  await until(async () => void (await fetch(`${url}/livez`)), { withinMs: 60_000 })
  const trace = () => readFileSync(path, 'utf8')
  return {
    ...running,
    url,
    port,
    trace,
    flushesOf: (folder: string) => trace().split(`/postgres/${folder}/`).length - 1,
  }
}
