import assert from 'node:assert'
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import { basic, build, MOBILE, PASSWORD } from '../helper.js'
import { operations } from '../support/openapi.js'
import { until } from '../support/servers.js'
import { spawnProgram, temporaryDirectory } from '../support/service-process.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const NEW_MOBILE = '+8613900139000'

/** The settings of the consumer's project. Generated code breaks rules beyond `strict`. */
const SETTINGS = {
  compilerOptions: {
    strict: true,
    target: 'es2023',
    module: 'nodenext',
    lib: ['es2023', 'dom'],
    rootDir: '.',
    outDir: 'built',
    noEmitOnError: true,
  },
  files: ['consumer.ts'],
}

t.test('a client generated from the document', async (t) => {
  const directory = temporaryDirectory()
  const at = (name: string) => join(directory, name)
  symlinkSync(join(ROOT, 'node_modules'), at('node_modules'))
  copyFileSync(join(ROOT, 'test/generated-client/consumer.ts'), at('consumer.ts'))
  writeFileSync(at('package.json'), '{"type":"module"}')
  writeFileSync(at('tsconfig.json'), JSON.stringify(SETTINGS))

  t.test('compiles with a program that uses all of it', async (t) => {
    for (const [program, args] of [
      ['oazapfts', [join(ROOT, 'openapi/openapi.json'), 'auth.ts']],
      ['tsc', ['-p', '.']],
    ] as const) {
      const binary = join(ROOT, 'node_modules/.bin', program)
      const { code, stdout, stderr } = await spawnProgram(binary, [...args], { cwd: directory }).exited
      t.equal(code, 0, stdout + stderr)
    }
  })

  t.test('200 for a call of every operation', async (t) => {
    const service = await build(t)
    await service.addUser()
    const credentials = basic(await service.addClient(['introspect', 'revoke', 'users']))
    const { callsOf } = await import(pathToFileURL(at('built/consumer.js')).href)
    const given = { url: service.url, mobile: MOBILE, password: PASSWORD, newMobile: NEW_MOBILE, credentials }
    const calls: Record<string, () => Promise<{ status: number }>> = callsOf(given)

    for (const [operationId, call] of Object.entries(calls)) {
      // A busy machine may refuse to hash a password just now.
      await until(async () => assert.equal((await call()).status, 200, operationId))
    }
    t.strictSame(Object.keys(calls).sort(), operations.map(({ operationId }) => operationId).sort())
  })
})
