import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { bannerOf, createHome, login, passwordIn } from '../support/embedded-home.js'
import { until } from '../support/servers.js'
import { spawnCli, startService, temporaryDirectory } from '../support/service-process.js'
import { mountProblem, smallDisk } from '../support/small-disk.js'

t.test('a first start that is cut off while it makes the database leaves none', async (t) => {
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    t.test(`${signal}, and the next one makes a whole one`, async (t) => {
      const home = createHome(t)
      const dataDir = join(home.cwd, '.data')
      const cutOff = spawnCli(['serve'], { cwd: home.cwd, env: { PORT: '0' } })
      await until(() => readdirSync(join(dataDir, 'postgres.new', 'base')))

      await cutOff.stop(signal)

      t.notOk(existsSync(join(dataDir, 'postgres')))
      const service = await home.start()
      t.equal((await login(service, DEMO_MOBILE, passwordIn(await bannerOf(service)))).status, 200)
      t.notOk(existsSync(join(dataDir, 'postgres.new')))
    })
  }
})

t.test('1 and one line where the disk is too small, and room again', { skip: mountProblem() }, async (t) => {
  const dataDir = smallDisk(t)

  const { code, stderr } = await spawnCli(['serve'], { env: { DATA_DIR: dataDir, PORT: '0' } }).exited

  t.equal(code, 1)
  t.match(stderr, /^auth-service: DATA_DIR: cannot write [^\n]+postgres \(ENOSPC\)\n$/)
  t.strictSame(
    readdirSync(dataDir).filter((name) => name.startsWith('postgres')),
    [],
  )
})

t.test('1 and one line where something else is in the place of the database, and it stays', async (t) => {
  const dataDir = temporaryDirectory()
  const path = join(dataDir, 'postgres', 'pg_wal')
  mkdirSync(join(dataDir, 'postgres'))
  writeFileSync(path, 'of somebody')

  const { code, stderr } = await spawnCli(['serve'], { env: { DATA_DIR: dataDir, PORT: '0' } }).exited

  t.equal(code, 1)
  t.match(stderr, /^auth-service: the database in [^\n]+postgres is damaged: it has no PG_VERSION\n$/)
  t.equal(readFileSync(path, 'utf8'), 'of somebody')
})

t.test('an empty directory in the place of the database is one to make it in', async (t) => {
  const dataDir = temporaryDirectory()
  mkdirSync(join(dataDir, 'postgres'))

  const service = await startService(t, { env: { DATA_DIR: dataDir } })

  t.equal((await login(service, DEMO_MOBILE, passwordIn(await bannerOf(service)))).status, 200)
})
