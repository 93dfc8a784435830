import { createRemoteJWKSet, type JWTVerifyGetKey, jwtVerify } from 'jose'
import t from 'tap'
import { PAIR_ALGORITHMS } from '../../src/tokens/keys/signing-key.js'
import { SECRET, startBackends, userInserter } from '../helper.js'
import { identify, publishes, startKeyed } from '../support/keyed-service.js'
import { keyFile, oneOfEach } from '../support/signing-keys.js'

const JWKS = '/.well-known/jwks.json'

/** What a sibling service requires of a token that it verifies itself. */
const EXPECTED = { issuer: 'auth-service', typ: 'session+jwt', requiredClaims: ['sub', 'jti', 'exp'] }

const keys = oneOfEach()
const backends = await startBackends(t)
await userInserter(backends.sql)()

t.test('GET /.well-known/jwks.json', async (t) => {
  t.test('200 without a key where JWT_SECRET signs', async (t) => {
    const service = await startKeyed(t, backends)

    const { status, headers, text } = await service.call('GET', JWKS)

    t.equal(status, 200)
    t.equal(text, '{"keys":[]}')
    t.equal(headers.get('content-type'), 'application/json; charset=utf-8')
    t.equal(headers.get('cache-control'), 'public, max-age=60')
  })

  t.test('200 with the public half of each key, in the order of the file, and without secrets', async (t) => {
    const file = keyFile(keys.ES256, keys.EdDSA, keys.RS256)
    const service = await startKeyed(t, backends, { JWT_KEYS_FILE: file.path })

    const { body, text } = await service.call('GET', JWKS)

    const members = ['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg', 'use']
    const publicHalves = [keys.ES256, keys.EdDSA, keys.RS256].map((key) =>
      Object.fromEntries(members.flatMap((name) => (name in key ? [[name, key[name]]] : []))),
    )
    t.same(body, { keys: publicHalves })
    t.notOk(text.includes(SECRET))
    t.notMatch(text, /"(d|p|q|dp|dq|qi|k|oct|HS256)"/)
  })

  t.test('405 for POST; 200 for GET, even with an invalid token', async (t) => {
    const service = await startKeyed(t, backends)

    t.equal((await service.call('POST', JWKS, { body: {} })).status, 405)
    t.equal((await service.call('GET', JWKS, { token: 'x.y.z' })).status, 200)
  })
})

t.test('a sibling service that verifies tokens with jose', async (t) => {
  for (const algorithm of PAIR_ALGORITHMS) {
    t.test(`accepts a token signed with ${algorithm}, and rejects a changed signature`, async (t) => {
      const service = await startKeyed(t, backends, { JWT_KEYS_FILE: keyFile(keys[algorithm]).path })
      const published = remote(service.url)
      const token = await service.login()

      const { payload, protectedHeader } = await jwtVerify(token, published, EXPECTED)

      t.strictSame(protectedHeader, { alg: algorithm, typ: 'session+jwt', kid: keys[algorithm].kid })
      t.equal(payload.jti, (await identify(service, token)).headers.get('x-session-id'))
      const [header, claims, signature = ''] = token.split('.')
      const other = `${header}.${claims}.${signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}`
      await t.rejects(jwtVerify(other, published, EXPECTED), {
        code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      })
    })
  }

  t.test('rejects a token signed with JWT_SECRET', async (t) => {
    const service = await startKeyed(t, backends)

    await t.rejects(jwtVerify(await service.login(), remote(service.url), EXPECTED), { name: /^JOSE|^JWKS/ })
  })

  t.test('accepts both keys during a rotation, and only the new key after it', async (t) => {
    const file = keyFile(keys.EdDSA)
    const service = await startKeyed(t, backends, { JWT_KEYS_FILE: file.path })
    const published = remote(service.url)
    const old = await service.login()
    await jwtVerify(old, published, EXPECTED)

    file.replace(keys.ES256, keys.EdDSA)
    await publishes(service, keys.ES256, keys.EdDSA)
    const fresh = await service.login()
    await jwtVerify(old, published, EXPECTED)
    t.equal((await jwtVerify(fresh, published, EXPECTED)).protectedHeader.alg, 'ES256')

    file.replace(keys.ES256)
    await publishes(service, keys.ES256)
    await jwtVerify(fresh, remote(service.url), EXPECTED)
    await t.rejects(jwtVerify(old, remote(service.url), EXPECTED), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
  })
})

/** The key set of a sibling service, but without the 30 s cooldown between two fetches. */
function remote(url: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(JWKS, url), { cooldownDuration: 0 })
}
