import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { OperatorError } from '../../src/refusals/operator-error.js'
import { ownSecret } from '../../src/tokens/keys/own-secret.js'
import { SECRET } from '../helper.js'
import { bannerOf } from '../support/embedded-home.js'
import { runCli, startService, temporaryDirectory } from '../support/service-process.js'
import { fill, mountProblem, smallDisk } from '../support/small-disk.js'

/** Damage to the file in which embedded mode keeps its signing key, and what the refusal says. */
const DAMAGE: Record<string, [(path: string) => void, RegExp]> = {
  'is empty': [(path) => writeFileSync(path, ''), /is empty/],
  'is a line break': [(path) => writeFileSync(path, '\n'), /is empty/],
  'is one letter': [(path) => writeFileSync(path, 'A'), /is short, or can be guessed/],
  'is half of a key': [(path) => writeFileSync(path, 'kXp2s5v8yBxEaHcMbQeTh'), /is short, or can be guessed/],
  'is 64 letters': [(path) => writeFileSync(path, 'A'.repeat(64)), /is short, or can be guessed/],
  'is base64 of words': [
    (path) => writeFileSync(path, Buffer.from('correct horse battery staple correct').toString('base64')),
    /is short, or can be guessed/,
  ],
  'is a published key': [
    (path) => writeFileSync(path, '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7'),
    /is short, or can be guessed/,
  ],
  'is 64 NUL bytes, as after a power cut': [
    (path) => writeFileSync(path, Buffer.alloc(64)),
    /is short, or can be guessed/,
  ],
  'is not UTF-8': [(path) => writeFileSync(path, Buffer.alloc(64, 0xf5)), /is not UTF-8/],
  'is a directory': [(path) => mkdirSync(path), /is not a file/],
  'is a link that leads nowhere': [(path) => symlinkSync(`${path}.none`, path), /cannot be read \(ENOENT\)/],
}

t.test('reads the same key after a line break was added to the file', async (t) => {
  const dataDir = temporaryDirectory()
  const secret = await ownSecret(dataDir)
  writeFileSync(join(dataDir, 'jwt_secret'), `${secret}\n`)

  t.equal(await ownSecret(dataDir), secret)
})

t.test('rejects a signing key that is no longer UTF-8, instead of reading another key', async (t) => {
  const dataDir = temporaryDirectory()
  const path = join(dataDir, 'jwt_secret')
  const secret = await ownSecret(dataDir)
  t.equal(await ownSecret(dataDir), secret)

  writeFileSync(path, Buffer.from(`${secret}\xe9`, 'latin1'))

  await t.rejects(ownSecret(dataDir), { message: `the signing key in ${path} is not UTF-8` })
})

t.test('rejects a key file, with its path and the cure, without its content', async (t) => {
  for (const [situation, [spoil, why]] of Object.entries(DAMAGE)) {
    t.test(`where it ${situation}`, async (t) => {
      const dataDir = temporaryDirectory()
      const path = join(dataDir, 'jwt_secret')
      spoil(path)

      const refusal = await ownSecret(dataDir).catch((error) => error)

      t.type(refusal, OperatorError)
      t.match(refusal.message, why)
      t.ok(refusal.message.startsWith(`the signing key in ${path} `))
      t.match(refusal.message, /: restore it, or delete it: [^\n]+$/)
      t.notMatch(refusal.message, /kXp2s5|09d25e|AAAA/)
    })
  }

  t.test('exit 1 of serve with one line, before the database is opened', async (t) => {
    const dataDir = temporaryDirectory()
    writeFileSync(join(dataDir, 'jwt_secret'), Buffer.alloc(64))

    const { code, stderr } = await runCli(['serve'], { DATA_DIR: dataDir, PORT: '0' })

    t.equal(code, 1)
    t.match(stderr, /^auth-service: the signing key in [^\n]+\n$/)
    t.notOk(existsSync(join(dataDir, 'postgres')))
  })
})

t.test('ignores a damaged key file in a service with JWT_SECRET, and in a command', async (t) => {
  const dataDir = temporaryDirectory()
  writeFileSync(join(dataDir, 'jwt_secret'), '')

  const service = await startService(t, { env: { DATA_DIR: dataDir, JWT_SECRET: SECRET } })
  await bannerOf(service)
  const { code, stderr } = await runCli(['user', 'show', '--mobile', DEMO_MOBILE], { DATA_DIR: dataDir })

  t.equal((await fetch(`${service.url}/livez`)).status, 200)
  t.equal(code, 0, stderr)
})

t.test('writes one whole key where eight processes start at the same time', async (t) => {
  const dataDir = temporaryDirectory()
  const processes = Array.from({ length: 8 }, () =>
    promisify(execFile)(process.execPath, [
      '--import=tsx',
      '--input-type=module',
      '--eval',
      `import { ownSecret } from '${new URL('../../src/tokens/keys/own-secret.ts', import.meta.url)}'
       process.stdout.write(await ownSecret('${dataDir}'))`,
    ]),
  )

  const secrets = (await Promise.all(processes)).map(({ stdout }) => stdout)

  t.equal(new Set(secrets).size, 1)
  t.equal(secrets[0], readFileSync(join(dataDir, 'jwt_secret'), 'utf8'))
  t.equal(Buffer.from(secrets[0] ?? '', 'base64').length, 48)
  t.strictSame(readdirSync(dataDir), ['jwt_secret'])
})

t.test('exit 1 with one line where the key file cannot be written', { skip: mountProblem() }, async (t) => {
  const dataDir = smallDisk(t)
  fill(dataDir)

  const { code, stderr } = await runCli(['serve'], { DATA_DIR: dataDir, PORT: '0', USER_ACTION_LOG: '-' })

  t.equal(code, 1)
  t.match(stderr, /^auth-service: DATA_DIR: cannot write [^\n]+jwt_secret \(ENOSPC\)\n$/)
  t.notOk(existsSync(join(dataDir, 'jwt_secret')))
})
