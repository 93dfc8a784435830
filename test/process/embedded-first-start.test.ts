import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { bannerOf, createHome, login, passwordIn } from '../support/embedded-home.js'
import { until } from '../support/servers.js'
import {
  type ServiceProcess,
  spawnCli,
  startService,
  temporaryDirectory,
} from '../support/service-process.js'
import { mountProblem, smallDisk } from '../support/small-disk.js'

t.test('the start after a killed first start makes a whole database', async (t) => {
  for (const [situation, name] of [
    ['where the database was begun', 'postgres.new'],
    ['where the database was just made', 'postgres'],
  ] as const) {
    t.test(situation, async (t) => {
      const home = createHome(t)
      const dataDir = join(home.cwd, '.data')
      const killed = spawnCli(['serve'], { cwd: home.cwd, env: { PORT: '0' } })
      await until(() => readdirSync(join(dataDir, name)))
      const { stdout } = await killed.stop('SIGKILL')

      const service = await home.start()

      t.equal(await statusOfLogin(service, stdout), 200)
      t.notOk(existsSync(join(dataDir, 'postgres.new')))
    })
  }

  t.test('where half of the database was there', async (t) => {
    const home = createHome(t)
    const half = join(home.cwd, '.data', 'postgres.new')
    mkdirSync(join(half, 'base'), { recursive: true })
    for (const name of ['PG_VERSION', 'of somebody']) writeFileSync(join(half, name), '')

    const service = await home.start()

    t.equal(await statusOfLogin(service), 200)
    t.notOk(existsSync(join(home.cwd, '.data', 'postgres', 'of somebody')))
    t.notOk(existsSync(half))
  })
})

t.test(
  'exit 1 with one line where the disk is too small, and nothing of the database stays',
  { skip: mountProblem() },
  async (t) => {
    const dataDir = smallDisk(t)

    const { code, stderr } = await spawnCli(['serve'], { env: { DATA_DIR: dataDir, PORT: '0' } }).exited

    t.equal(code, 1)
    t.match(stderr, /^auth-service: DATA_DIR: cannot write [^\n]+postgres \(ENOSPC\)\n$/)
    t.strictSame(
      readdirSync(dataDir).filter((name) => name.startsWith('postgres')),
      [],
    )
  },
)

t.test(
  'exit 1 with one line wherever in the first start the disk is full',
  { skip: mountProblem() },
  async (t) => {
    const exits: (number | null)[] = []
    for (let kilobytes = 23_800; exits.at(-1) !== 0 && kilobytes < 30_000; kilobytes += 200) {
      const running = spawnCli(['serve'], { env: { DATA_DIR: smallDisk(t, kilobytes), PORT: '0' } })
      const stopped = until(() => assert.match(running.stdout(), /Ctrl-C/), { withinMs: 60_000 }).then(
        () => running.stop(),
        () => undefined,
      )
      const { code, stderr } = await Promise.race([running.exited, stopped.then(() => running.exited)])
      exits.push(code)
      if (code !== 0) t.match(stderr, /^auth-service: DATA_DIR: [^\n]+\n$/)
    }

    t.ok(exits.length > 3, `${exits.length} sizes`)
    t.equal(exits.at(-1), 0)
  },
)

t.test('exit 1 with one line where other files are in place of the database, and they stay', async (t) => {
  const dataDir = temporaryDirectory()
  const path = join(dataDir, 'postgres', 'pg_wal')
  mkdirSync(join(dataDir, 'postgres'))
  writeFileSync(path, 'of somebody')

  const { code, stderr } = await spawnCli(['serve'], { env: { DATA_DIR: dataDir, PORT: '0' } }).exited

  t.equal(code, 1)
  t.match(stderr, /^auth-service: the database in [^\n]+postgres is damaged: it has no PG_VERSION\n$/)
  t.equal(readFileSync(path, 'utf8'), 'of somebody')
})

t.test('makes the database in an empty directory in its place', async (t) => {
  const dataDir = temporaryDirectory()
  mkdirSync(join(dataDir, 'postgres'))

  const service = await startService(t, { env: { DATA_DIR: dataDir } })

  t.equal(await statusOfLogin(service), 200)
})

/** On a busy machine the first login may be answered 503. */
async function statusOfLogin(service: ServiceProcess, printedBefore = ''): Promise<number> {
  const password = passwordIn(`${printedBefore}${await bannerOf(service)}`)
  return until(async () => {
    const { status } = await login(service, DEMO_MOBILE, password)
    if (status === 503) throw new Error('503')
    return status
  })
}
