import assert from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { newKey } from '../../src/tokens/keys/new-key.js'
import { build, keylessEnvironmentOf, startBackends } from '../helper.js'
import { PATIENCE } from '../support/patience.js'
import { freePort, until } from '../support/servers.js'
import { CLI, spawnCli, spawnProgram, temporaryDirectory } from '../support/service-process.js'
import { keyFile } from '../support/signing-keys.js'

const NEW_MOBILE = '+8613900139000'
const NEW_PASSWORD = 'eight dry parasols'

const backends = await startBackends(t)
const service = await build(t, { backends })
const userId = String(await service.addUser())
const env = { ...keylessEnvironmentOf(backends), USER_ACTION_LOG: `${temporaryDirectory()}/user_action.log` }
const { path: keys } = keyFile(newKey('EdDSA'))

const PRINTING: string[][] = [
  ['--help'],
  ['--version'],
  ['openapi'],
  ['openapi', '--yaml'],
  ['keys', 'generate'],
  ['keys', 'list', '--file', keys],
  ['migrate'],
  ['user', 'show', '--user', userId],
  ['client', 'list', '--json'],
]

t.test('exit 0 without a word where the reader of standard output has gone', async (t) => {
  for (const args of PRINTING) {
    t.test(args.slice(0, 2).join(' '), async (t) => {
      t.strictSame(await runUnread(args), { code: 0, signal: null, stderr: '' })
    })
  }

  t.test('user add, and the user exists', async (t) => {
    t.strictSame(await runUnread(['user', 'add', '--mobile', NEW_MOBILE], NEW_PASSWORD), {
      code: 0,
      signal: null,
      stderr: '',
    })
    await service.login({ mobile: NEW_MOBILE, password: NEW_PASSWORD })
  })
})

t.test('serve goes on where the reader of standard output has gone', async (t) => {
  const { child, ended, cwd } = await startUnread(['serve'], { env: { PORT: String(await freePort()) } })
  t.teardown(() => child.kill('SIGKILL'))

  // The banner follows at once when there is the account that it names.
  const show = ['user', 'show', '--mobile', '+8613800138000']
  await until(async () => assert.equal((await spawnCli(show, { cwd }).exited).code, 0), PATIENCE)
  child.kill('SIGTERM')

  t.strictSame(await ended, { code: 0, signal: null, stderr: '' })
})

t.test('exit 1 with one line where standard output is full', async (t) => {
  for (const args of [['openapi'], ['user', 'show', '--user', userId]]) {
    const command = [process.execPath, CLI, ...args].map((part) => `'${part}'`).join(' ')
    const { code, stderr } = await spawnProgram('sh', ['-c', `${command} > /dev/full`], { env }).exited

    t.equal(stderr, 'auth-service: standard output cannot be written (ENOSPC)\n')
    t.equal(code, 1)
  }
})

/** Runs a command that begins only once nobody can read what it prints. */
async function runUnread(args: string[], stdin = '') {
  return (await startUnread(args, { env, stdin })).ended
}

async function startUnread(args: string[], { env, stdin = '' }: { env: NodeJS.ProcessEnv; stdin?: string }) {
  const cwd = temporaryDirectory()
  const child = spawn('sh', ['-c', 'read -r go; exec "$@"', 'sh', process.execPath, CLI, ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal, stderr }))
  child.stdout.destroy()
  await once(child.stdout, 'close')
  child.stdin.end(`go\n${stdin}`)
  return { child, ended, cwd }
}
