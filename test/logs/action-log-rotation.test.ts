import assert from 'node:assert'
import { copyFileSync, existsSync, readFileSync, renameSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentOf, logIn, startBackends, userInserter } from '../helper.js'
import { bannerOf } from '../support/embedded-home.js'
import { PATIENCE } from '../support/patience.js'
import { childrenOf, findProgram, reachable, until } from '../support/servers.js'
import { CLI, spawnProgram, startService, temporaryDirectory } from '../support/service-process.js'

const backends = await startBackends(t)
await userInserter(backends.sql)()

for (const WEB_CONCURRENCY of ['1', '3']) {
  t.test(`a rotation, with WEB_CONCURRENCY=${WEB_CONCURRENCY}`, async (t) => {
    const path = join(temporaryDirectory(), 'action.log')
    const env = { ...environmentOf(backends), USER_ACTION_LOG: path, WEB_CONCURRENCY }
    const service = await startService(t, { env })
    const logInManyTimes = async () => {
      // Every login is a new connection, so that every process gets some.
      for (let time = 0; time < 6; time++) await logIn(service.url)
    }

    t.test('writes later logins to a new file after a rename, without a signal', async (t) => {
      await logInManyTimes()
      await until(() => assert.equal(loginsIn(path), 6), PATIENCE)
      renameSync(path, `${path}.1`)

      await logInManyTimes()

      await until(() => assert.equal(loginsIn(path), 6), PATIENCE)
      t.equal(loginsIn(`${path}.1`), 6)
    })

    t.test('creates the new file before the next login, after a rename and SIGHUP', async (t) => {
      renameSync(path, `${path}.2`)

      process.kill(service.pid, 'SIGHUP')

      await until(() => assert.ok(existsSync(path)), PATIENCE)
      t.equal(readFileSync(path, 'utf8'), '')
      await logInManyTimes()
      await until(() => assert.equal(loginsIn(path), 6), PATIENCE)
    })

    t.test('writes later logins to the same file after a copy and truncation', async (t) => {
      copyFileSync(path, `${path}.3`)
      truncateSync(path)

      await logInManyTimes()

      await until(() => assert.equal(loginsIn(path), 6), PATIENCE)
      t.equal(readFileSync(path).indexOf(0), -1)
    })
  })
}

t.test('embedded mode', async (t) => {
  t.test('opens the action log again after SIGHUP without a terminal, and goes on', async (t) => {
    const directory = temporaryDirectory()
    const path = join(directory, 'action.log')
    const env = { DATA_DIR: join(directory, 'data'), USER_ACTION_LOG: path }
    const service = await startService(t, { env })
    await bannerOf(service)
    renameSync(path, `${path}.1`)

    process.kill(service.pid, 'SIGHUP')

    await until(() => assert.ok(existsSync(path)), PATIENCE)
    t.equal((await fetch(`${service.url}/livez`)).status, 200)
  })

  const skip = findProgram('script') ? false : 'script (util-linux), which makes a terminal, is not installed'
  t.test('ends with its terminal', { skip }, async (t) => {
    const directory = temporaryDirectory()
    const env = {
      DATA_DIR: join(directory, 'data'),
      USER_ACTION_LOG: join(directory, 'action.log'),
      PORT: '0',
    }
    const command = `'${process.execPath}' '${CLI}' serve`
    const terminal = spawnProgram('script', ['-qfc', command, '/dev/null'], { env, stdinStaysOpen: true })
    await until(() => assert.match(terminal.stdout(), /Stop {11}Ctrl-C/), PATIENCE)
    const port = Number(/running at http:..127.0.0.1:(\d+)/.exec(terminal.stdout())?.[1])
    await reachable(port)
    const started = descendantsOf(terminal.pid)
    t.ok(started.length > 0)

    await terminal.stop('SIGKILL')

    await until(() => assert.strictEqual(started.filter(isRunning).length, 0), PATIENCE)
    t.pass()
  })
})

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}

function loginsIn(path: string): number {
  if (!existsSync(path)) return 0
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'login').length
}
