import t, { type Test } from 'tap'
import { createPasswords } from '../../src/passwords/passwords.js'
import { createThrottle } from '../../src/passwords/throttle.js'
import { Refusal } from '../../src/refusals/refusal.js'
import { createSessions } from '../../src/sessions/sessions.js'
import { createKeyRing } from '../../src/tokens/keys/key-ring.js'
import { secretKey } from '../../src/tokens/keys/signing-key.js'
import { createTokens, hasExpired } from '../../src/tokens/tokens.js'
import { build, claimsOf, PASSWORD, SECRET, type Service } from '../helper.js'
import { corpusJson, needsCorpora } from '../support/corpora.js'
import { hasGenuineSignature, type Verdict, verdictOf } from '../support/reference-verifier.js'
import { until } from '../support/servers.js'
import { bitFlips, tokenCorpus } from '../support/tokens/corpus.js'
import { headerOf } from '../support/tokens/forge.js'
import { jwt } from '../support/tokens/jwt.js'

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NOW = Date.now()
const SESSION = {
  userId: 1,
  sessionId: 'qP3Jd0bYc5mWm8Qd1l2y7JrF2hK9xA_-',
  stamp: NOW,
  issuedAt: Math.floor(NOW / 1000),
  ttl: 86_400,
}

interface Settings {
  issuer?: string
  audience?: string | undefined
  secret?: string | Buffer
}

/** The tokens of the service, its verdict on a token, and that of a second verifier. */
function bothVerifiers({ issuer = 'auth-service', audience, secret = SECRET }: Settings = {}) {
  const keys = createKeyRing([secretKey(secret)])
  const tokens = createTokens({ jwt, keys, issuer, audience })
  const good = tokens.sign(SESSION)
  const terms = { secret: SECRET, kid: headerOf(good).kid, issuer, audience, now: NOW }

  return { good, tokens, judged, expected: (token: string) => verdictOf(token, terms) }

  function judged(token: string): Verdict | string {
    try {
      return hasExpired(tokens.read(token).session, NOW) ? 'token_expired' : 'genuine'
    } catch (error) {
      return error instanceof Refusal ? error.slug : `threw ${error}`
    }
  }
}

t.test('reads the right claims of two tokens that share a place in the cache', async (t) => {
  const { tokens } = bothVerifiers()
  const [one, other] = collidingPair((stamp) => tokens.sign({ ...SESSION, stamp }))

  for (const { token, stamp } of [one, other, one, one, other]) {
    t.equal(tokens.read(token).session.loginTime, stamp)
  }
})

interface Signed {
  token: string
  stamp: number
}

/**
 * Two tokens whose signatures have the same 30 bits before the last character. Among 200,000 tokens
 * there are a dozen such pairs or more.
 */
function collidingPair(sign: (stamp: number) => string): [Signed, Signed] {
  const seen = new Map<string, Signed>()
  for (let stamp = NOW; stamp < NOW + 200_000; stamp++) {
    const signed = { token: sign(stamp), stamp }
    const place = signed.token.slice(-6, -1)
    const earlier = seen.get(place)
    if (earlier) return [earlier, signed]
    seen.set(place, signed)
  }
  throw new Error('no two tokens share a place')
}

t.test('reading a token', async (t) => {
  for (const audience of [undefined, 'platform']) {
    const { good, judged, expected } = bothVerifiers({ audience })
    const corpus = [...tokenCorpus({ good, secret: SECRET, now: NOW }), ...bitFlips(good)]

    t.test(`judges every mutation as a second verifier does, audience ${audience}`, async (t) => {
      const verdicts = corpus.map(({ name, token }) => ({
        name,
        seen: judged(token),
        expected: expected(token),
      }))

      t.strictSame(
        verdicts.filter(({ seen, expected }) => seen !== expected),
        [],
      )
      t.ok(verdicts.length > 2500)
      const count = (verdict: string) => verdicts.filter(({ expected }) => expected === verdict).length
      t.ok(count('genuine') > 5)
      t.ok(count('token_expired') > 3)
    })
  }

  t.test('accepts exactly four spellings of the last character of a signature', async (t) => {
    const { good, judged } = bothVerifiers()

    const accepted = [...BASE64URL].filter((last) => judged(good.slice(0, -1) + last) === 'genuine')

    t.equal(accepted.length, 4)
  })

  t.test('calls a token expired from the second of exp on', async (t) => {
    const { good, tokens } = bothVerifiers()
    const { session } = tokens.read(good)

    t.notOk(hasExpired(session, session.expiresAt * 1000 - 1))
    t.ok(hasExpired(session, session.expiresAt * 1000))
  })

  t.test(
    'rejects a token of another issuer or audience, also where only one side has an audience',
    async (t) => {
      const own = bothVerifiers({ audience: 'platform' })
      const others = [
        {},
        { audience: 'plat' },
        { issuer: 'auth', audience: 'platform' },
        { audience: 'Platform' },
      ]

      for (const settings of others) {
        const other = bothVerifiers(settings)
        t.equal(own.judged(other.good), 'token_invalid')
        t.equal(other.judged(own.good), 'token_invalid')
      }
    },
  )

  t.test(
    'rejects every vector of Wycheproof, since this service has signed none',
    needsCorpora(),
    async (t) => {
      const { judged } = bothVerifiers()
      const vectors = corpusJson<{ token: string; from: string }[]>('wycheproof/tokens.flat.json')

      const taken = vectors.filter(({ token }) => judged(token) !== 'token_invalid')

      t.strictSame(taken, [])
      t.ok(vectors.length > 500)
    },
  )

  t.test('rejects the vectors of Wycheproof under their own keys', needsCorpora(), async (t) => {
    const groups = hmacGroups()

    for (const { key, tests } of groups) {
      const { judged } = bothVerifiers({ secret: key })
      t.strictSame(
        tests.filter(({ jws }) => judged(jws) !== 'token_invalid'),
        [],
      )
    }
    t.ok(groups.length >= 4)
  })
})

t.test('the second verifier', async (t) => {
  t.test('judges the HMAC signatures of Wycheproof as Wycheproof does', needsCorpora(), async (t) => {
    const vectors = hmacGroups().flatMap(({ key, tests }) => tests.map((test) => ({ ...test, key })))

    const disagreed = vectors.filter(
      ({ jws, key, result }) => hasGenuineSignature(jws, key) !== (result === 'valid'),
    )

    // 367 and 370 are described as padded, but are the same token as 357. 372 and 373 have a stray
    // character in a segment, which Wycheproof accepts and RFC 7515 §2 does not.
    t.strictSame(
      disagreed.map(({ tcId }) => tcId),
      [367, 370, 372, 373],
    )
  })
})

t.test('gives a thousand logins as many session ids, of 128 bits or more', async (t) => {
  const service = await build(t)
  const sessions = cheapSessions(t, service)
  const mobiles = Array.from({ length: 5 }, (_, index) => `+861380013800${index}`)
  await Promise.all(mobiles.map((mobile) => service.addUser({ mobile, hash: CHEAP_HASH })))

  const logins = await Promise.all(
    mobiles.map(async (mobile) => {
      const grants = []
      for (let login = 0; login < 200; login++) {
        grants.push(await until(() => sessions.begin({ mobile, password: PASSWORD, network: '192.0.2.1' })))
      }
      return grants
    }),
  )

  const claims = logins.flat().map(({ token }) => claimsOf(token))
  t.equal(claims.length, 1000)
  t.equal(new Set(claims.map(({ jti }) => jti)).size, 1000, 'as many session ids')
  t.ok(
    new Set(claims.map(({ sub, iat }) => `${sub} ${iat}`)).size < 1000,
    'of which many share user and second',
  )
  t.ok(
    claims.every(({ jti }) => Buffer.from(jti, 'base64url').length >= 16),
    'of 128 bits or more',
  )
})

/** PASSWORD, hashed at cost 4. */
const CHEAP_HASH = '$2b$04$0RpIOqErL1Vfm7oHdLPg3e6E7JV16QY32b6.KEewN8W.fIsJMoJT6'

/** The sessions of the app with cheap hashing, since only the ids matter here. */
function cheapSessions(t: Test, { stores }: Service) {
  const passwords = createPasswords({ cost: 4 })
  t.teardown(passwords.close)
  const settings = { issuer: 'auth-service', audience: undefined }
  const tokens = createTokens({
    jwt,
    keys: createKeyRing([secretKey(SECRET)]),
    ...settings,
  })
  const throttle = createThrottle({ ...stores, maxFailures: 100, windowSeconds: 900 })
  return createSessions({ ...stores, tokens, passwords, throttle, ttlSeconds: 86_400, recovery: 'off' })
}

/** The HS256 vectors of Wycheproof, with the key of each group. */
function hmacGroups() {
  const { testGroups } = corpusJson<{
    testGroups: {
      private: { kty: string; k: string }
      tests: { tcId: number; jws: string; result: string }[]
    }[]
  }>('wycheproof/json_web_signature_test.json')
  return testGroups
    .filter(({ private: { kty } }) => kty === 'oct')
    .map(({ private: { k }, tests }) => ({ key: Buffer.from(k, 'base64url'), tests }))
}
