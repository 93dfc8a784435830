import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { packedClient, projectWithClient } from '../support/packed-client.js'
import { spawnProgram } from '../support/service-process.js'
import { marked, readProject } from '../support/siblings.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const NAME = '@auth-service/client'

const WITHOUT_FASTIFY = `const token = 'x.y.z'
${marked(readProject('clients/node/README.md'), 'compile')}`

t.test('packs what was built of its own sources, and nothing else', async (t) => {
  const list = execFileSync('tar', ['-tzf', packedClient()], { encoding: 'utf8' }).trim().split('\n')
  const built = readdirSync(join(ROOT, 'clients/node/src')).flatMap((file) =>
    ['.js', '.d.ts'].map((ending) => `dist/${basename(file, '.ts')}${ending}`),
  )

  t.strictSame(
    list.sort(),
    ['LICENSE', 'README.md', 'package.json', ...built].map((path) => `package/${path}`).sort(),
  )
})

t.test('installs no other package', async (t) => {
  const modules = join(projectWithClient(), 'node_modules')
  const lock = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'))

  t.strictSame(Object.keys(lock.packages), [`node_modules/${NAME}`])
  t.strictSame(readdirSync(modules).sort(), ['.package-lock.json', '@auth-service'])
  t.strictSame(readdirSync(join(modules, '@auth-service')), ['client'])
})

t.test('asks without Fastify installed, and its plugin loads without Fastify', async (t) => {
  const { code, stdout, stderr } = await node(
    projectWithClient(),
    `import * as client from '${NAME}'
    import * as plugin from '${NAME}/fastify'
    console.log(Object.keys(client).sort().join(), Object.keys(plugin).sort().join())
    const { verify } = client.createVerifier({ url: 'http://127.0.0.1:9' })
    await verify('x.y.z').catch((error) => console.log(error instanceof client.ServiceUnavailable))`,
  )

  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.equal(stdout, 'ServiceUnavailable,TokenRefused,createVerifier requireSession,securitySchemes\ntrue\n')
})

t.test('exports nothing else of its code', async (t) => {
  const project = projectWithClient()
  for (const path of [`${NAME}/dist/verifier.js`, `${NAME}/bearer-token`]) {
    t.match((await node(project, `import '${path}'`)).stderr, 'ERR_PACKAGE_PATH_NOT_EXPORTED', path)
  }
})

t.test('compiles the examples in strict TypeScript, and rejects wrong types', async (t) => {
  const project = typed(projectWithClient('fastify', '@types/node'))
  const { code, stdout } = await compile(project, {
    'the-example': readProject('examples/fastify/server.js'),
    'the-guide': marked(readProject('docs/siblings.md'), 'serve: fastify'),
    'its-own-readme': marked(readProject('clients/node/README.md'), 'serve: fastify'),
    'without-fastify': WITHOUT_FASTIFY,
  })
  t.strictSame({ code, stdout }, { code: 0, stdout: '' })

  const wrong = await compile(project, {
    wrong: `import { createVerifier, TokenRefused } from '${NAME}'
      const { userId } = await createVerifier({ url: '' }).verify('')
      userId satisfies string
      new TokenRefused('no_reason')`,
  })
  t.match(wrong.stdout, /TS1360(.|\n)*TS2345/, 'and against nothing looser')
})

t.test('compiles without Fastify and without the types of Node.js', async (t) => {
  const project = typed(projectWithClient(), { types: [], lib: ['es2023', 'dom'] })

  const { code, stdout } = await compile(project, { 'without-fastify': WITHOUT_FASTIFY })

  t.strictSame({ code, stdout }, { code: 0, stdout: '' })
})

function node(project: string, text: string) {
  return spawnProgram(process.execPath, ['--input-type=module', '-e', text], { cwd: project }).exited
}

/** The project with strict compiler settings, which check the types of libraries too. */
function typed(project: string, others: object = { types: ['node'] }): string {
  const compilerOptions = { strict: true, module: 'nodenext', target: 'es2023', noEmit: true, ...others }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['modules'] }))
  return project
}

/** Runs the compiler over modules in the project. */
function compile(project: string, modules: Record<string, string>) {
  rmSync(join(project, 'modules'), { recursive: true, force: true })
  mkdirSync(join(project, 'modules'))
  for (const [name, text] of Object.entries(modules)) {
    writeFileSync(join(project, 'modules', `${name}.ts`), text)
  }
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  return spawnProgram(process.execPath, [tsc, '-p', project]).exited
}
