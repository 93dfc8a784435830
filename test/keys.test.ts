import assert from 'node:assert'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { newKey } from '../src/services/new-key.js'
import type { PrivateJwk } from '../src/services/private-jwk.js'
import { build, SECRET, type Service, startBackends, userInserter } from './helper.js'
import { PATIENCE, patiently } from './support/patience.js'
import { until } from './support/servers.js'
import { temporaryDirectory } from './support/service-process.js'
import { keyFile, publishedBy } from './support/signing-keys.js'
import { headerOf } from './support/tokens/forge.js'

const EARLIER_SECRET = SECRET.replace('kXp', 'pXk')

const backends = await startBackends(t)
await userInserter(backends.sql)()
const [first, second] = [newKey('EdDSA'), newKey('ES256')]

t.test('which key signs, and which tokens count', async (t) => {
  t.test('a key of JWT_KEYS_FILE signs, and what JWT_SECRET has signed still counts', async (t) => {
    const before = await build(t, { backends })
    const old = await logIn(before)
    const after = await build(t, { backends, env: { JWT_KEYS_FILE: keyFile(first).path } })

    t.equal((await identify(after, old)).status, 200)
    const fresh = await logIn(after)
    t.match(headerOf(fresh), { alg: 'EdDSA', kid: first.kid })
    t.equal((await identify(after, fresh)).status, 200)
    t.equal((await identify(before, fresh)).body.error, 'token_invalid')
  })

  t.test('without JWT_SECRET what it has signed does not count', async (t) => {
    const old = await logIn(await build(t, { backends }))
    const after = await build(t, { backends, env: { JWT_KEYS_FILE: keyFile(first).path, JWT_SECRET: '' } })

    t.equal((await identify(after, old)).body.error, 'token_invalid')
    t.equal((await identify(after, await logIn(after))).status, 200)
  })

  t.test('a key that stands by is published, checks, and signs once it is promoted', async (t) => {
    const standby = newKey('EdDSA', { standby: true })
    const { key_ops: _, ...promoted } = standby
    const file = keyFile(standby)
    const { service } = await start(t, file.path)
    const old = await logIn(service)
    t.equal(headerOf(old).alg, 'HS256')
    t.strictSame(await publishedBy(service.url), [standby.kid])

    file.replace(promoted)
    await until(async () => assert.equal(headerOf(await logIn(service)).kid, standby.kid), PATIENCE)

    t.equal((await identify(service, old)).body.error, 'session_superseded', 'genuine, but not the latest')
  })

  t.test('what JWT_PREVIOUS_SECRETS have signed counts, and they sign nothing', async (t) => {
    const before = await build(t, { backends, env: { JWT_SECRET: EARLIER_SECRET } })
    const after = await build(t, { backends, env: { JWT_PREVIOUS_SECRETS: `${SECRET},${EARLIER_SECRET}` } })
    const without = await build(t, { backends })
    const old = await logIn(before)

    t.equal((await identify(after, old)).status, 200)
    t.equal((await identify(without, old)).body.error, 'token_invalid')
    t.equal(headerOf(await logIn(after)).kid, headerOf(await logIn(without)).kid)
  })

  t.test('401 token_invalid everywhere for what a key has signed that is gone', async (t) => {
    const file = keyFile(first, second)
    const { service } = await start(t, file.path)
    const token = await logIn(service)
    t.equal((await identify(service, token)).status, 200)
    t.equal((await service.verify(token, 'signature')).status, 200)

    file.replace(second)
    await publishes(service, second)

    for (const answer of [
      service.identify(token),
      service.verify(token),
      service.verify(token, 'signature'),
    ]) {
      const { status, body } = await answer
      t.strictSame([status, body.error], [401, 'token_invalid'])
    }
    t.equal((await service.logout(token)).body.error, 'token_invalid')
  })
})

t.test('the file is read again', async (t) => {
  t.test('when it is replaced by renaming, and when it is written in place', async (t) => {
    const file = keyFile(first)
    const { service } = await start(t, file.path)

    file.replace(first, second)
    await publishes(service, first, second)
    writeFileSync(file.path, JSON.stringify({ keys: [second, first] }))
    await publishes(service, second, first)

    t.equal(headerOf(await logIn(service)).kid, second.kid)
  })

  t.test('when Kubernetes replaces the volume that it is in', async (t) => {
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

  t.test('when a link leads to a file elsewhere that changes, of which nothing tells', async (t) => {
    const file = keyFile(first)
    const link = join(temporaryDirectory(), 'keys.json')
    symlinkSync(file.path, link)
    const { service } = await start(t, link)

    file.replace(second, first)

    await publishes(service, second, first)
  })
})

t.test('a file that is not in order', async (t) => {
  const file = keyFile(first)
  const { service, lines } = await start(t, file.path)
  const token = await logIn(service)
  const refusals = () => lines.filter(({ msg }) => msg.includes('expected a JWK set'))

  t.test('is refused in one line, and the keys before it go on counting', async (t) => {
    file.write('{"keys":[{"kty":"OKP","d":"hunter2')
    await until(() => assert.equal(refusals().length, 1), PATIENCE)
    file.write('{"keys":[{"kty":"OKP","d":"hunter2hunter2')

    t.equal((await identify(service, token)).status, 200)
    t.equal(headerOf(await logIn(service)).kid, first.kid)
    t.strictSame(await publishedBy(service.url), [first.kid])
  })

  t.test('so is one in which no key may sign', async (t) => {
    const other = keyFile(first)
    const alone = await start(t, other.path, { JWT_SECRET: '', JWT_PREVIOUS_SECRETS: EARLIER_SECRET })
    other.replace({ ...first, key_ops: ['verify'] })
    await until(() => assert.match(`${alone.lines.at(-1)?.msg}`, /no key may sign: promote one/), PATIENCE)

    t.equal(headerOf(await logIn(alone.service)).kid, first.kid)
  })

  t.test('so is one that is gone', async (t) => {
    rmSync(file.path)
    await until(() => assert.match(`${lines.at(-1)?.msg}`, /cannot be read \(ENOENT\)/), PATIENCE)

    t.equal(headerOf(await logIn(service)).kid, first.kid)
  })

  t.test('is followed by one that is, which counts', async (t) => {
    file.replace(second)
    await publishes(service, second)

    t.equal((await identify(service, token)).body.error, 'token_invalid')
    t.equal(headerOf(await logIn(service)).kid, second.kid)
  })

  t.test('the log says each once, and nothing of any key', async (t) => {
    t.equal(refusals().length, 1)
    t.equal(refusals()[0]?.level, 50)
    t.match(lines.at(-1), { level: 30, msg: `keys that count: ${second.kid} (ES256, signs), ` })
    const text = JSON.stringify(lines)
    for (const { d } of [first, second]) t.notOk(text.includes(`${d}`))
    t.notMatch(text, 'hunter2')
  })
})

t.test('a file that every user of the machine may read is said to be so', async (t) => {
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
  return { service: await build(t, { backends, log, env: { JWT_KEYS_FILE: file, ...env } }), lines }
}

async function logIn(service: Service): Promise<string> {
  return until(() => service.login(), PATIENCE)
}

function identify(service: Service, token: string) {
  return patiently(() => service.identify(token))
}

async function publishes({ url }: Service, ...keys: PrivateJwk[]): Promise<void> {
  const kids = keys.map(({ kid }) => kid)
  await until(async () => assert.deepEqual(await publishedBy(url), kids), PATIENCE)
}
