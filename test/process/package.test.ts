import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { spawnProgram, temporaryDirectory } from '../support/service-process.js'
import { readProject } from '../support/siblings.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

t.test('packs the command line, and no client', async (t) => {
  const pack = ['pack', '--ignore-scripts', '--dry-run', '--json']
  const [{ files }] = JSON.parse(execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }))
  const paths = files.map(({ path }: { path: string }) => path)

  t.ok(paths.includes(JSON.parse(readProject('package.json')).bin['auth-service']))
  t.ok(paths.includes('dist/auth-service.js'), 'what that loads')
  t.notOk(paths.some((path: string) => path.startsWith('clients/')))
})

t.test('exports the OpenAPI document, and no code', async (t) => {
  const directory = temporaryDirectory()
  const installed = join(directory, 'node_modules/auth-service')
  mkdirSync(installed, { recursive: true })
  for (const part of ['package.json', 'openapi', 'dist/app.js']) {
    cpSync(join(ROOT, part), join(installed, part), { recursive: true })
  }
  const node = (text: string) =>
    spawnProgram(process.execPath, ['--input-type=module', '-e', text], { cwd: directory }).exited

  for (const path of ['auth-service', 'auth-service/dist/app.js']) {
    t.match((await node(`import '${path}'`)).stderr, 'ERR_PACKAGE_PATH_NOT_EXPORTED', path)
  }
  const read = `createRequire(import.meta.url)('auth-service/openapi/openapi.json').openapi`
  const { stdout } = await node(`import { createRequire } from 'node:module'; console.log(${read})`)
  t.equal(stdout, '3.1.0\n')
})
