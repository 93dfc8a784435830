import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { cloneProject, failureOf, startCommands } from '../support/clone.js'
import { passwordIn } from '../support/embedded-home.js'
import { freePort, until } from '../support/servers.js'
import { type Running, temporaryDirectory } from '../support/service-process.js'

/** What the README promises on two cores that do nothing else. A busy machine has twice as long. */
const FIRST_TOKEN_SECONDS = 60
const NPM_CI_SECONDS = 45

t.test('every command of README.md in a new clone, up to a live token and one introspected', async (t) => {
  const env = { npm_config_cache: temporaryDirectory() }
  const begun = performance.now()
  const cwd = cloneProject()
  const readme = readFileSync(join(cwd, 'README.md'), 'utf8')
  const [[start = '', tests = ''] = [], ...rest] = shellBlocks(readme)
  const port = await freePort()

  const npm = startCommands(t, withoutComment(start), { cwd, env: { ...env, PORT: String(port) } })
  const installed = await secondsUntil(npm, 'auth-service@0.1.0 prestart', begun)
  await secondsUntil(npm, 'Ctrl-C', begun)
  const commands = rest
    .flat()
    .join('\n')
    .replace('<the password that npm start printed>', passwordIn(npm.stdout()))
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`)
  const newcomer = startCommands(t, commands, { cwd, env })
  const identified = await secondsUntil(newcomer, 'HTTP/1.1 200 OK', begun)
  const { code, stdout, stderr } = await newcomer.exited

  t.equal(code, 0, stderr)
  t.match(stdout, '"user_id":1')
  t.match(stdout, '"active":true')
  t.notMatch(npm.stderr(), 'EBADENGINE')
  t.equal(withoutComment(tests), 'npm ci && npm test', 'the only command that does not run here')
  t.comment(`npm ci ${installed.toFixed(1)} s; from git clone to the first token ${identified.toFixed(1)} s`)
  t.ok(installed < 2 * NPM_CI_SECONDS, `npm ci took ${installed.toFixed(1)} s`)
  t.ok(identified < 2 * FIRST_TOKEN_SECONDS, `the first token came after ${identified.toFixed(1)} s`)
})

/** The lines of each block of commands. */
function shellBlocks(markdown: string): string[][] {
  return [...markdown.matchAll(/^```sh\n(.*?)\n```$/gms)].map(([, text = '']) => text.split('\n'))
}

function withoutComment(command: string): string {
  return command.replace(/ +# .*/, '')
}

/** The seconds from `begun` until a program has written a text. */
function secondsUntil(program: Running, text: string, begun: number): Promise<number> {
  const written = () => {
    if (!program.stdout().includes(text)) throw new Error(`not written: ${text}`)
    return (performance.now() - begun) / 1000
  }
  return Promise.race([until(written, { withinMs: 110_000 }), failureOf(program)])
}
