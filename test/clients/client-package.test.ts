import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { isAboutToken } from '../../src/refusals/refusal.js'
import { spawnProgram, temporaryDirectory } from '../support/service-process.js'
import { marked, readProject } from '../support/siblings.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** All that a sibling needs beside the packed service; of the rest of its dependencies nothing is there. */
const BESIDE = ['fastify', 'fastify-plugin', 'lru-cache', 'negotiator', '@types/node']

const sibling = installPacked()

t.test('the packed client runs without what the service itself needs', async (t) => {
  const { code, stdout, stderr } = await node(`
    import * as client from 'auth-service/client'
    console.log(Object.keys(client).sort().join())
    const { verify } = client.createVerifier({ url: 'http://127.0.0.1:9' })
    await verify('x.y.z').catch((error) => console.log(error instanceof client.ServiceUnavailable))`)

  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.equal(stdout, 'ServiceUnavailable,TokenRefused,createVerifier,requireSession,securitySchemes\ntrue\n')
})

t.test('nothing else of the code can be imported, and the contract can', async (t) => {
  for (const path of ['auth-service', 'auth-service/dist/app.js', 'auth-service/dist/client.js']) {
    t.match((await node(`import '${path}'`)).stderr, 'ERR_PACKAGE_PATH_NOT_EXPORTED', path)
  }
  const read = `createRequire(import.meta.url)('auth-service/openapi/openapi.json').openapi`
  const { stdout } = await node(`import { createRequire } from 'node:module'; console.log(${read})`)
  t.equal(stdout, '3.1.0\n')
})

t.test('its command line is there', async (t) => {
  const bin = JSON.parse(readProject('package.json')).bin['auth-service']
  const list = execFileSync('tar', ['-tzf', join(sibling, 'auth-service.tgz')], { encoding: 'utf8' })

  t.ok(list.split('\n').includes(`package/${bin}`))
})

t.test('a sibling in strict TypeScript compiles against its types', async (t) => {
  const right = {
    'the example': readProject('examples/fastify/server.js'),
    'the README': marked(readProject('README.md'), 'serve: fastify'),
    'the example’s README': `const token = 'x.y.z'\n${marked(readProject('examples/fastify/README.md'), 'compile')}`,
  }
  for (const [name, text] of Object.entries(right)) {
    const { code, stdout } = await compile(text)
    t.strictSame({ code, stdout }, { code: 0, stdout: '' }, name)
  }

  const { stdout } = await compile(`
    import { createVerifier, TokenRefused } from 'auth-service/client'
    const { userId } = await createVerifier({ url: '' }).verify('')
    userId satisfies string
    new TokenRefused('no_reason')`)
  t.match(stdout, /TS1360(.|\n)*TS2345/, 'and against nothing looser')
})

t.test('it knows every reason for which /verify refuses a token', async (t) => {
  const { paths } = JSON.parse(readProject('openapi/openapi.json'))
  const { error } = paths['/verify'].post.responses[401].content['application/json'].schema.properties

  t.strictSame(
    error.enum.filter((slug: string) => !isAboutToken(slug)),
    [],
  )
  t.ok(error.enum.length >= 5)
})

function node(text: string) {
  return spawnProgram(process.execPath, ['--input-type=module', '-e', text], { cwd: sibling }).exited
}

/** Runs the compiler over a module in the sibling. */
function compile(text: string) {
  writeFileSync(join(sibling, 'module.ts'), text)
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  return spawnProgram(process.execPath, [tsc, '-p', sibling]).exited
}

/** A directory with the packed service as a dependency, and of its own dependencies only those of the client. */
function installPacked(): string {
  const directory = temporaryDirectory('auth-sibling-')
  const installed = join(directory, 'node_modules/auth-service')
  for (const path of [installed, join(directory, 'node_modules/@types')]) mkdirSync(path, { recursive: true })
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory]
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }))
  symlinkSync(filename, join(directory, 'auth-service.tgz'))
  execFileSync('tar', ['-xzf', join(directory, filename), '--strip-components=1', '-C', installed])
  for (const name of BESIDE) {
    symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name))
  }
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2023',
    noEmit: true,
    types: ['node'],
  }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['module.ts'] }))
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  return directory
}
