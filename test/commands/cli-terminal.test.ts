import assert from 'node:assert'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { environmentOf, logIn, MOBILE, PASSWORD, startBackends, userInserter } from '../helper.js'
import { PATIENCE } from '../support/patience.js'
import { findProgram, freePort, until } from '../support/servers.js'
import { CLI, spawnProgram, startService, temporaryDirectory } from '../support/service-process.js'

const backends = await startBackends(t)
const userId = await userInserter(backends.sql)()
const skip = findProgram('script') ? false : 'script (util-linux), which makes a terminal, is not installed'

t.test('serve at a terminal', { skip }, async (t) => {
  const { url, terminal } = await serveAtTerminal({ ...environmentOf(backends), USER_ACTION_LOG: '-' })
  t.teardown(() => terminal.stop('SIGKILL'))

  t.test('logs lines for people, with local time', async (t) => {
    t.match(terminal.stdout(), new RegExp(`^\\d\\d:\\d\\d:\\d\\d listening at ${url}\\r$`, 'm'))
  })

  t.test('logs actions alike', async () => {
    await logIn(url, { mobile: MOBILE, password: PASSWORD })

    const line = `user logged in event=login user_id=${userId} url=/login method=POST ip=127.0.0.1 request_id=`
    await until(() => assert.ok(terminal.stdout().includes(line), terminal.stdout()), PATIENCE)
  })

  t.test('logs no JSON until it ends', async (t) => {
    terminal.type('\u0003')
    const { stdout } = await terminal.exited

    t.match(stdout, /^(\^C)?\d\d:\d\d:\d\d SIGINT: closing\r$/m)
    t.notMatch(stdout, '{')
  })
})

t.test('serve logs JSON lines where standard output is no terminal', async (t) => {
  const service = await startService(t, { env: { ...environmentOf(backends), USER_ACTION_LOG: '-' } })
  await logIn(service.url)
  const { stdout } = await service.stop()

  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(lines[0], { level: 30, msg: /^listening at / })
  t.ok(lines.some(({ event }) => event === 'login'))
})

t.test('a file gets JSON lines of actions from serve at a terminal', { skip }, async (t) => {
  const path = `${temporaryDirectory()}/user_action.log`
  const { url, terminal } = await serveAtTerminal({ ...environmentOf(backends), USER_ACTION_LOG: path })
  t.teardown(() => terminal.stop('SIGKILL'))
  await logIn(url)
  terminal.type('\u0003')
  await terminal.exited

  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  t.match(JSON.parse(lines.at(-1) ?? ''), { event: 'login', user_id: userId })
})

/** Runs `serve` in a terminal. `stdout` is what the terminal shows. */
async function serveAtTerminal(settings: NodeJS.ProcessEnv) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { ...settings, PORT: String(port) }
  const command = `'${process.execPath}' '${CLI}' serve`
  const terminal = spawnProgram('script', ['-qefc', command, '/dev/null'], { env, stdinStaysOpen: true })
  await until(() => assert.match(terminal.stdout(), /listening at/), PATIENCE)
  return { url, terminal }
}
