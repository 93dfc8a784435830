import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { build } from '../helper.js'
import { passwordIn } from '../support/embedded-home.js'
import { freePort, startPostgres, startRedis, until } from '../support/servers.js'
import { type Running, spawnProgram, temporaryDirectory } from '../support/service-process.js'
import { marked, readProject } from '../support/siblings.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const GUIDE = readProject('docs/siblings.md')
const EXAMPLES = [...GUIDE.matchAll(/<!-- run: (\S+) -->\n```\w+\n(.*?)```/gs)]

/** The command line that runs a text in each language. */
const INTERPRETERS: Record<string, (text: string) => [string, string[]]> = {
  sh: (text) => ['sh', ['-c', text]],
  node: (text) => [process.execPath, ['--input-type=module', '-e', text]],
  python3: (text) => ['python3', ['-c', text]],
}

t.test(
  'the examples of docs/siblings.md run as printed, with a live token and with a dead one',
  async (t) => {
    const service = await build(t)
    const userId = await service.addUser()
    const run = async (language: string, text: string, token: string) => {
      const [program, args] = INTERPRETERS[language]?.(
        text.replaceAll('http://127.0.0.1:3000', service.url),
      ) ?? ['false', []]
      const { code, stdout, stderr } = await spawnProgram(program, args, {
        env: { TOKEN: token },
        stdin: ' ',
      }).exited
      t.equal(code, 0, stderr)
      return stdout
    }

    t.strictSame(
      EXAMPLES.map(([, language]) => language),
      ['sh', 'node', 'python3'],
    )
    for (const [, language = '', text = ''] of EXAMPLES) {
      const token = await service.login()
      const live = await run(language, text, token)
      await service.logout(token)
      const dead = await run(language, text, token)

      t.match(live, language === 'sh' ? `"user_id":${userId}` : `user ${userId}`, language)
      t.match(dead, language === 'sh' ? '"error":"session_ended"' : 'refused: 401 session_ended', language)
    }
  },
)

/** What the README promises on two cores that do nothing else. A busy machine has twice as long. */
const FIRST_TOKEN_SECONDS = 60
const NPM_CI_SECONDS = 45

t.test('in a new clone', { timeout: 600_000 }, async (t) => {
  const clone = join(temporaryDirectory(), 'auth-service')
  const env = { npm_config_cache: temporaryDirectory() }
  const begun = performance.now()
  const cloned = await spawnProgram('git', ['clone', '--quiet', ROOT, clone], {}).exited
  t.equal(cloned.code, 0, cloned.stderr)
  // In the clone: what is not committed is not there.
  const textOf = (path: string) => readFileSync(join(clone, path), 'utf8')

  await t.test('every command of README.md, up to a live token and one introspected', async (t) => {
    const [[start = '', tests = ''] = [], ...rest] = shellBlocks(textOf('README.md'))
    const port = await freePort()
    const npm = shell(t, withoutComment(start), { ...env, PORT: String(port) })
    const installed = await whenWritten(npm, 'auth-service@0.1.0 prestart', begun)
    await whenWritten(npm, 'Ctrl-C', begun)
    const password = passwordIn(npm.stdout())

    const commands = rest
      .flat()
      .join('\n')
      .replace('<the password that npm start printed>', password)
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`)
    const { code, stdout, stderr } = await shell(t, commands, env).exited
    const seconds = (performance.now() - begun) / 1000

    t.equal(code, 0, stderr)
    t.match(stdout, 'HTTP/1.1 200 OK')
    t.match(stdout, '"user_id":1')
    t.match(stdout, '"active":true')
    t.equal(withoutComment(tests), 'npm ci && npm test', 'the only command that does not run here')
    t.comment(`npm ci ${installed.toFixed(1)} s, all up to the last answer ${seconds.toFixed(1)} s`)
    t.ok(installed < 2 * NPM_CI_SECONDS, `npm ci took ${installed.toFixed(1)} s`)
    t.ok(seconds < 2 * FIRST_TOKEN_SECONDS, `the last answer came after ${seconds.toFixed(1)} s`)
    t.notMatch(npm.stderr(), 'EBADENGINE')
  })

  await t.test('the servers of your own in docs/operating.md, up to a login', async (t) => {
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
    t.teardown(() => Promise.all([postgres.stop(), redis.stop()]))
    const port = await freePort()
    const commands = marked(textOf('docs/operating.md'), 'run: servers')
      .replaceAll('127.0.0.1:5432', `127.0.0.1:${postgres.port}`)
      .replaceAll('127.0.0.1:6379', `127.0.0.1:${redis.port}`)
    const superuser = { PGHOST: '127.0.0.1', PGPORT: String(postgres.port), PGUSER: 'postgres' }
    const password = 'eight dry parasols'
    const service = shell(t, commands, { ...env, ...superuser, PORT: String(port) }, `${password}\n`)
    const login = () =>
      fetch(`http://127.0.0.1:${port}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ mobile: '+8613800138000', password }),
      })

    const { status } = await Promise.race([until(login, { withinMs: 120_000 }), failureOf(service)])

    t.equal(status, 200)
  })

  /** Runs commands as a newcomer types them, until one fails. */
  function shell(t: Test, commands: string, env: NodeJS.ProcessEnv, stdin = ''): Running {
    const args = ['-e', '-c', commands]
    const running = spawnProgram('sh', args, { cwd: clone, env, stdin, ownSession: true })
    t.teardown(() => endGroup(running.pid))
    return running
  }
})

/** The lines of each block of commands. */
function shellBlocks(markdown: string): string[][] {
  return [...markdown.matchAll(/^```sh\n(.*?)\n```$/gms)].map(([, text = '']) => text.split('\n'))
}

function withoutComment(command: string): string {
  return command.replace(/ +# .*/, '')
}

/** The seconds from `begun` until a program has written a text. */
function whenWritten(program: Running, text: string, begun: number): Promise<number> {
  const written = () => {
    if (!program.stdout().includes(text)) throw new Error(`not written: ${text}`)
    return (performance.now() - begun) / 1000
  }
  return Promise.race([until(written, { withinMs: 300_000 }), failureOf(program)])
}

async function failureOf(program: Running): Promise<never> {
  const { code, stderr } = await program.exited
  throw new Error(`ended with ${code}: ${stderr}`)
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGTERM')
  } catch {
    // It has ended.
  }
}
