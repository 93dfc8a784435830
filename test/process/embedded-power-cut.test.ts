import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { bannerOf, login, passwordIn } from '../support/embedded-home.js'
import { freePort, until } from '../support/servers.js'
import { CLI, spawnProgram, temporaryDirectory } from '../support/service-process.js'

t.test('what was answered survives a power cut: it is on the disk before', async (t) => {
  const service = await startTraced(t)
  const password = passwordIn(await bannerOf(service))

  t.test('a login', async (t) => {
    const before = service.flushesOf('pg_wal')

    const { status } = await login(service, DEMO_MOBILE, password)

    t.equal(status, 200)
    t.ok(service.flushesOf('pg_wal') > before)
  })

  t.test('the first database, before it is in its place', async (t) => {
    const trace = service.trace()
    const renamed = trace.search(/rename.*postgres\.new/)

    t.ok(renamed > 0)
    for (const file of ['PG_VERSION', 'base', 'global/pg_control', 'pg_wal/000000010000000000000001']) {
      const flushed = trace.indexOf(`postgres.new/${file}>`)
      t.ok(flushed > 0 && flushed < renamed, file)
    }
  })

  t.test('at its end, what the log no longer holds', async (t) => {
    const before = service.flushesOf('base')

    await service.stop()

    t.ok(service.flushesOf('base') > before)
  })
})

/** The service, with a list of all that it has the kernel bring to the disk. */
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
