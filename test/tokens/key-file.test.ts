import assert from 'node:assert'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { newKey } from '../../src/tokens/keys/new-key.js'
import type { PrivateJwk } from '../../src/tokens/keys/private-jwk.js'
import { startBackends, userInserter } from '../helper.js'
import { identify, publishes, startKeyed } from '../support/keyed-service.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'
import { temporaryDirectory } from '../support/service-process.js'
import { keyFile, publishedBy } from '../support/signing-keys.js'
import { headerOf } from '../support/tokens/forge.js'

const backends = await startBackends(t)
await userInserter(backends.sql)()
const [first, second] = [newKey('EdDSA'), newKey('ES256')]

t.test('reads the key file again', async (t) => {
  t.test('when another file is renamed to it, and when it is written in place', async (t) => {
    const file = keyFile(first)
    const { service } = await start(t, file.path)

    file.replace(first, second)
    await publishes(service, first, second)
    writeFileSync(file.path, JSON.stringify({ keys: [second, first] }))
    await publishes(service, second, first)

    t.equal(headerOf(await service.login()).kid, second.kid)
  })

  t.test('when Kubernetes replaces its volume', async (t) => {
    const directory = temporaryDirectory()
    const mount = (name: string, ...keys: PrivateJwk[]) => {
      mkdirSync(join(directory, name))
      writeFileSync(join(directory, name, 'keys.json'), JSON.stringify({ keys }), { mode: 0o600 })
      symlinkSync(name, join(directory, '..data_tmp'))
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
    }
    mount('..2026_01', first)
    symlinkSync('..data/keys.json', join(directory, 'keys.json'))
    const { service } = await start(t, join(directory, 'keys.json'))

    mount('..2026_02', second, first)
    rmSync(join(directory, '..2026_01'), { recursive: true })

    await publishes(service, second, first)
  })

  t.test('when the target of a link changes, for which no file event comes', async (t) => {
    const file = keyFile(first)
    const link = join(temporaryDirectory(), 'keys.json')
    symlinkSync(file.path, link)
    const { service } = await start(t, link)

    file.replace(second, first)

    await publishes(service, second, first)
  })
})

t.test('an invalid key file', async (t) => {
  const file = keyFile(first)
  const { service, lines } = await start(t, file.path)
  const token = await service.login()
  const refusals = () => lines.filter(({ msg }) => msg.includes('expected a JWK set'))

  t.test('is refused with one line, and the keys before it stay in use', async (t) => {
    file.write('{"keys":[{"kty":"OKP","d":"hunter2')
    await until(() => assert.equal(refusals().length, 1), PATIENCE)
    file.write('{"keys":[{"kty":"OKP","d":"hunter2hunter2')

    t.equal((await identify(service, token)).status, 200)
    t.equal(headerOf(await service.login()).kid, first.kid)
    t.strictSame(await publishedBy(service.url), [first.kid])
  })

  t.test('is refused where no key may sign', async (t) => {
    const other = keyFile(first)
    const alone = await start(t, other.path, { JWT_SECRET: '' })
    other.replace({ ...first, key_ops: ['verify'] })
    await until(() => assert.match(`${alone.lines.at(-1)?.msg}`, /no key may sign: promote one/), PATIENCE)

    t.equal(headerOf(await alone.service.login()).kid, first.kid)
  })

  t.test('is refused where it is missing', async (t) => {
    rmSync(file.path)
    await until(() => assert.match(`${lines.at(-1)?.msg}`, /cannot be read \(ENOENT\)/), PATIENCE)

    t.equal(headerOf(await service.login()).kid, first.kid)
  })

  t.test('is replaced by the next valid one', async (t) => {
    file.replace(second)
    await publishes(service, second)

    t.equal((await identify(service, token)).body.error, 'token_invalid')
    t.equal(headerOf(await service.login()).kid, second.kid)
  })

  t.test('is logged once, without anything of a key', async (t) => {
    t.equal(refusals().length, 1)
    t.equal(refusals()[0]?.level, 50)
    t.match(lines.at(-1), { level: 30, msg: `keys that count: ${second.kid} (ES256, signs), ` })
    const text = JSON.stringify(lines)
    for (const { d } of [first, second]) t.notOk(text.includes(`${d}`))
    t.notMatch(text, 'hunter2')
  })
})

t.test('warns of a key file that every user of the machine may read', async (t) => {
  const file = keyFile(first)
  writeFileSync(`${file.path}.open`, JSON.stringify({ keys: [first] }), { mode: 0o644 })
  const [closed, open] = [await start(t, file.path), await start(t, `${file.path}.open`)]

  t.match(closed.lines, [{ level: 30, msg: /^keys that count: [^;]+$/ }])
  t.match(open.lines, [{ level: 40, msg: /keys that count: .*; every user of this machine may read \// }])
})

/** An instance with this key file, and the lines of its log. */
async function start(t: Test, file: string, env: NodeJS.ProcessEnv = {}) {
  const lines: { level: number; msg: string }[] = []
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) })
  return { service: await startKeyed(t, backends, { JWT_KEYS_FILE: file, ...env }, log), lines }
}
