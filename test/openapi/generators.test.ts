import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build as bundle } from 'esbuild'
import t from 'tap'
import { build, MOBILE, PASSWORD } from '../helper.js'
import { document } from '../support/openapi.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'
import { spawnProgram, temporaryDirectory } from '../support/service-process.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CONSUMERS = join(ROOT, 'test/generated-client')
const DOCUMENT = join(ROOT, 'openapi/openapi.json')

/** The settings of a consumer's project that is bundled, as most of those with a generator are. */
const SETTINGS = {
  compilerOptions: {
    strict: true,
    target: 'es2023',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: [],
    noEmit: true,
  },
  files: ['with-openapi-typescript.ts', 'with-hey-api.ts', 'with-orval.ts'],
}

/** Without them, openapi-typescript exports one type that holds all others. */
const ROOT_TYPES = ['--root-types', '--root-types-no-schema-prefix']

/** What a reader looks for among the generated types. */
const EXPECTED = ['Claims', 'Credentials', 'Error', 'Grant', 'Identity', 'Introspection', 'User']

/** More would hide them. Before the document had components, each generator made some 200. */
const MOST = 50

t.test('clients of three generators', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const directory = temporaryDirectory()
  const at = (name: string) => join(directory, name)
  const run = async (program: string, ...args: string[]) => {
    const { code, stdout, stderr } = await spawnProgram(program, args, { cwd: directory }).exited
    t.equal(code, 0, stdout + stderr)
  }
  for (const name of ['package.json', 'package-lock.json', 'outcome.ts', ...SETTINGS.files])
    copyFileSync(join(CONSUMERS, name), at(name))
  writeFileSync(at('tsconfig.json'), JSON.stringify(SETTINGS))
  // Orval writes the address of the service into the client.
  const output = { target: 'orval.ts', schemas: 'orval-types', client: 'fetch', baseUrl: service.url }
  writeFileSync(
    at('orval.config.cjs'),
    `module.exports = ${JSON.stringify({ auth: { input: DOCUMENT, output } })}`,
  )

  t.test('are installed', () => run('npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'))

  t.test('are generated', async () => {
    await run(generator('openapi-typescript'), DOCUMENT, ...ROOT_TYPES, '-o', 'openapi-typescript.ts')
    await run(generator('openapi-ts'), '-i', DOCUMENT, '-o', 'hey-api', '--no-log-file')
    await run(generator('orval'), '--config', 'orval.config.cjs')
  })

  t.test('have few types with good names', async (t) => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
    const prefixes = operations.map(
      ({ operationId }) => new RegExp(`^${operationId}(Data|Errors?|Responses?)$`, 'i'),
    )
    // Besides, openapi-ts makes five types for each operation, whatever the document says.
    const ofOperations = (name: string) => prefixes.some((prefix) => prefix.test(name))
    const types = {
      'openapi-typescript': typesIn(at('openapi-typescript.ts')),
      'openapi-ts': typesIn(at('hey-api/types.gen.ts')).filter((name) => !ofOperations(name)),
      orval: readdirSync(at('orval-types')).flatMap((file) => typesIn(at(`orval-types/${file}`))),
    }

    for (const [name, named] of Object.entries(types)) {
      t.strictSame(
        EXPECTED.filter((type) => !named.includes(type)),
        [],
        name,
      )
      t.ok(named.length < MOST, `${name} makes ${named.length} types`)
      t.notOk(
        named.some((type) => /\d/.test(type)),
        `${name} numbers none`,
      )
    }
  })

  t.test('compile with programs that use them', async () => {
    await run(generator('tsc'), '-p', '.')
  })

  for (const file of SETTINGS.files) {
    t.test(`log in, identify, verify and are refused: ${file}`, async (t) => {
      const outfile = at(file.replace(/ts$/, 'mjs'))
      await bundle({ entryPoints: [at(file)], outfile, bundle: true, format: 'esm', platform: 'node' })
      const { outcomeOf } = await import(pathToFileURL(outfile).href)

      const given = { url: service.url, mobile: MOBILE, password: PASSWORD }
      // A busy machine may refuse to hash a password just now.
      const outcome = await until(() => outcomeOf(given), PATIENCE)

      t.strictSame(outcome, {
        loggedIn: userId,
        identified: userId,
        verified: userId,
        refused: { status: 401, error: 'token_invalid' },
      })
    })
  }
})

function generator(name: string): string {
  return join('node_modules/.bin', name)
}

function typesIn(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  return Array.from(text.matchAll(/^export (?:type|interface) (\w+)/gm), ([, name = '']) => name)
}
