import assert from 'node:assert'
import t, { type Test } from 'tap'
import { newKey } from '../../src/tokens/keys/new-key.js'
import { SECRET, type Service, startBackends, userInserter } from '../helper.js'
import { identify, publishes, startKeyed } from '../support/keyed-service.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'
import { keyFile, publishedBy } from '../support/signing-keys.js'
import { headerOf } from '../support/tokens/forge.js'

const EARLIER_SECRET = SECRET.replace('kXp', 'pXk')

const backends = await startBackends(t)
await userInserter(backends.sql)()
const [first, second] = [newKey('EdDSA'), newKey('ES256')]

t.test('keys that sign, and tokens that are accepted', async (t) => {
  t.test('signs with a key of JWT_KEYS_FILE, and accepts tokens of JWT_SECRET', async (t) => {
    const before = await instance(t)
    const old = await before.login()
    const after = await instance(t, { JWT_KEYS_FILE: keyFile(first).path })

    t.equal((await identify(after, old)).status, 200)
    const fresh = await after.login()
    t.match(headerOf(fresh), { alg: 'EdDSA', kid: first.kid })
    t.equal((await identify(after, fresh)).status, 200)
    t.equal((await identify(before, fresh)).body.error, 'token_invalid')
  })

  t.test('401 token_invalid for tokens of JWT_SECRET once it is not set', async (t) => {
    const old = await (await instance(t)).login()
    const after = await instance(t, { JWT_KEYS_FILE: keyFile(first).path, JWT_SECRET: '' })

    t.equal((await identify(after, old)).body.error, 'token_invalid')
    t.equal((await identify(after, await after.login())).status, 200)
  })

  t.test('publishes a standby key, and signs with it once it is promoted', async (t) => {
    const standby = newKey('EdDSA', { standby: true })
    const { key_ops: _, ...promoted } = standby
    const file = keyFile(standby)
    const service = await instance(t, { JWT_KEYS_FILE: file.path })
    const old = await service.login()
    t.equal(headerOf(old).alg, 'HS256')
    t.strictSame(await publishedBy(service.url), [standby.kid])

    file.replace(promoted)
    await until(async () => assert.equal(headerOf(await service.login()).kid, standby.kid), PATIENCE)

    t.equal((await identify(service, old)).body.error, 'session_superseded', 'genuine, but not the latest')
  })

  t.test('accepts tokens of JWT_PREVIOUS_SECRETS, and signs nothing with them', async (t) => {
    const before = await instance(t, { JWT_SECRET: EARLIER_SECRET })
    const after = await instance(t, { JWT_PREVIOUS_SECRETS: `${SECRET},${EARLIER_SECRET}` })
    const without = await instance(t)
    const old = await before.login()

    t.equal((await identify(after, old)).status, 200)
    t.equal((await identify(without, old)).body.error, 'token_invalid')
    t.equal(headerOf(await after.login()).kid, headerOf(await without.login()).kid)
  })

  t.test('401 token_invalid from every route for tokens of a removed key', async (t) => {
    const file = keyFile(first, second)
    const service = await instance(t, { JWT_KEYS_FILE: file.path })
    const token = await service.login()
    t.equal((await identify(service, token)).status, 200)
    t.equal((await service.verify(token, 'signature')).status, 200)

    file.replace(second)
    await publishes(service, second)

    const asked = [service.identify(token), service.verify(token), service.verify(token, 'signature')]
    for (const { status, body } of await Promise.all([...asked, service.logout(token)])) {
      t.strictSame([status, body.error], [401, 'token_invalid'])
    }
  })
})

function instance(t: Test, env: NodeJS.ProcessEnv = {}): Promise<Service> {
  return startKeyed(t, backends, env)
}
