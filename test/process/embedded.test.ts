import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { send } from '../helper.js'
import { bannerOf, createHome, identify, login, passwordIn } from '../support/embedded-home.js'
import { residentBytes, spawnCli, startService, temporaryDirectory } from '../support/service-process.js'

/** How long a later start may take on a busy machine. */
const RESTART_LIMIT_MS = 10_000

/** The resident memory that a started process may have. */
const MEMORY_LIMIT_BYTES = 250e6

t.test('the first start without settings', async (t) => {
  const home = createHome(t)
  const service = await home.start()
  const banner = await bannerOf(service)

  t.test('prints a demo account, and a curl command that logs in', async (t) => {
    const curl = /^ *Log in +(curl .+)$/m.exec(banner)?.[1] ?? ''

    const { stdout } = await promisify(execFile)('sh', ['-c', curl])

    const { code, data } = JSON.parse(stdout)
    t.equal(code, 200)
    t.equal((await identify(service, data.token)).status, 200)
  })

  t.test('prints the mobile and the password of the demo account', async (t) => {
    t.match(banner, DEMO_MOBILE)
    t.equal((await login(service, DEMO_MOBILE, passwordIn(banner))).status, 200)
  })

  t.test('prints the address of /docs, which answers 200', async (t) => {
    const address = /http:\/\/\S+\/docs/.exec(banner)?.[0]

    t.equal(address, `${service.url}/docs`)
    t.equal((await fetch(`${address}/`)).status, 200)
  })

  t.test('200 from /readyz, which names no Redis', async (t) => {
    const { body } = await send(service.url, 'GET', '/readyz')

    t.strictSame(body, { code: 200, msg: 'ok', data: { postgres: 'up' } })
  })

  t.test('writes nothing on standard error', async (t) => {
    t.equal(service.stderr(), '')
  })

  t.test('makes its files readable by their owner only', async (t) => {
    const dataDir = join(home.cwd, '.data')

    t.equal(modeOf(dataDir), '700')
    t.equal(modeOf(join(dataDir, 'jwt_secret')), '600')
    t.equal(modeOf(join(home.cwd, 'logs', 'user_action.log')), '600')
    for (const name of readdirSync(dataDir)) t.notOk(reachableByOthers(join(dataDir, name)), name)
  })

  t.test('takes at most 250 MB of memory', async (t) => {
    t.ok(residentBytes(service.pid) <= MEMORY_LIMIT_BYTES, `${residentBytes(service.pid)}`)
  })

  t.test('exit 0 at once after Ctrl-C', async (t) => {
    const before = performance.now()

    const { code, stderr } = await service.stop('SIGINT')

    t.equal(code, 0)
    t.equal(stderr, '')
    t.ok(performance.now() - before < RESTART_LIMIT_MS)
  })
})

t.test('a later start on the same data', async (t) => {
  const home = createHome(t)
  const first = await home.start()
  const password = passwordIn(await bannerOf(first))
  const { token } = (await login(first, DEMO_MOBILE, password)).body.data

  for (const [situation, signal] of [
    ['after Ctrl-C', 'SIGINT'],
    ['after kill -9', 'SIGKILL'],
    ['after a second kill -9', 'SIGKILL'],
  ] as const) {
    t.test(`keeps sessions and accounts, and prints no password, ${situation}`, async (t) => {
      await home.current().stop(signal)
      const before = performance.now()

      const service = await home.start()

      t.ok(performance.now() - before < RESTART_LIMIT_MS, 'within seconds')
      t.ok(residentBytes(service.pid) <= MEMORY_LIMIT_BYTES, `${residentBytes(service.pid)}`)
      t.equal((await identify(service, token)).status, 200)
      const banner = await bannerOf(service)
      t.notMatch(banner, password)
      t.equal(
        /^ *Password +(as printed at the first start)/m.exec(banner)?.[1],
        'as printed at the first start',
      )
    })
  }

  t.test('200 for the demo password, which ends the earlier session', async (t) => {
    const answer = await login(home.current(), DEMO_MOBILE, password)

    t.equal(answer.status, 200)
    t.match((await identify(home.current(), token)).body, { code: 401, error: 'session_superseded' })
  })
})

t.test('prints a password that works, at the start after one that could not listen', async (t) => {
  const home = createHome(t)
  const taken = await startService(t, { env: { DATA_DIR: join(temporaryDirectory(), 'd') } })
  const failed = await spawnCli(['serve'], { cwd: home.cwd, env: { PORT: String(taken.port) } }).exited
  t.not(failed.code, 0)

  const service = await home.start()

  const printed = `${failed.stdout}${await bannerOf(service)}`
  t.equal((await login(service, DEMO_MOBILE, passwordIn(printed))).status, 200)
})

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}

/** Root may read everything, so another user tries. */
function reachableByOthers(path: string): boolean {
  if (process.getuid?.() !== 0) return false
  return spawnSync('stat', [path], { uid: 65534, gid: 65534 }).status === 0
}
