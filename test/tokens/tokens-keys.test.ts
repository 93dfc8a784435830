import { createPublicKey } from 'node:crypto'
import t from 'tap'
import { Refusal } from '../../src/refusals/refusal.js'
import { createKeyRing } from '../../src/tokens/keys/key-ring.js'
import { newKey } from '../../src/tokens/keys/new-key.js'
import { PAIR_ALGORITHMS, type SigningKey, secretKey } from '../../src/tokens/keys/signing-key.js'
import { createTokens, hasExpired } from '../../src/tokens/tokens.js'
import { SECRET } from '../helper.js'
import { corpusJson, needsCorpora } from '../support/corpora.js'
import { hasGenuinePairSignature, type Pair, verdictOf } from '../support/reference-verifier.js'
import { keyOf, oneOfEach, spellingsOf } from '../support/signing-keys.js'
import { bitFlips, tokenCorpus } from '../support/tokens/corpus.js'
import { encode, forge, headerOf } from '../support/tokens/forge.js'
import { jwt } from '../support/tokens/jwt.js'

const NOW = Date.now()
const SESSION = {
  userId: 1,
  sessionId: 'qP3Jd0bYc5mWm8Qd1l2y7JrF2hK9xA',
  stamp: NOW,
  issuedAt: Math.floor(NOW / 1000),
  ttl: 86_400,
}
const SETTINGS = { issuer: 'auth-service', audience: undefined }

const jwks = oneOfEach()
const PAIRS = { EdDSA: keyOf(jwks.EdDSA), ES256: keyOf(jwks.ES256), RS256: keyOf(jwks.RS256) }
const ALL: SigningKey[] = [...Object.values(PAIRS), secretKey(SECRET)]

/** Tokens of a ring with these keys, and the verdict on one. */
function withKeys(...keys: SigningKey[]) {
  const ring = createKeyRing(keys)
  const tokens = createTokens({ jwt, keys: ring, ...SETTINGS })
  return { ring, good: () => tokens.sign(SESSION), judged }

  function judged(token: string): string {
    try {
      return hasExpired(tokens.read(token).session, NOW) ? 'token_expired' : 'genuine'
    } catch (error) {
      return error instanceof Refusal ? error.slug : `threw ${error}`
    }
  }
}

t.test('a token of each kind of key', async (t) => {
  for (const algorithm of PAIR_ALGORITHMS) {
    t.test(`judges every mutation as a second verifier does: ${algorithm}`, async (t) => {
      const key = PAIRS[algorithm]
      const { good, judged } = withKeys(key)
      const token = good()
      const pair: Pair = { alg: algorithm, publicKey: createPublicKey(key.checksWith) }
      // A forger knows the public key, so the corpus is signed with it as a secret.
      const secret = key.checksWith.toString()
      const corpus = [...tokenCorpus({ good: token, secret, now: NOW }), ...bitFlips(token), ...edges(token)]
      const terms = { secret: pair, kid: key.id, now: NOW, ...SETTINGS }

      const verdicts = corpus.map(({ name, token }) => ({
        name,
        seen: judged(token),
        expected: verdictOf(token, terms),
      }))

      t.strictSame(
        verdicts.filter(({ seen, expected }) => seen !== expected),
        [],
      )
      t.ok(verdicts.length > 3000)
      const genuine = verdicts.filter(({ expected }) => expected === 'genuine')
      t.ok(genuine.length > 1 && genuine.length < 100, 'the token and other spellings of its signature')
    })
  }

  t.test('names its key, its algorithm and its type in the header, and nothing else', async (t) => {
    for (const key of ALL) {
      const header = headerOf(withKeys(key).good())
      t.strictSame(header, { alg: key.algorithm, typ: 'session+jwt', kid: key.id })
    }
  })

  t.test('is accepted where its key is in the ring, and refused elsewhere', async (t) => {
    for (const key of ALL) {
      const others = ALL.filter((other) => other !== key)
      const token = withKeys(key).good()

      t.equal(withKeys(...others, key).judged(token), 'genuine', key.algorithm)
      t.equal(withKeys(...others).judged(token), 'token_invalid', key.algorithm)
    }
  })
})

t.test('one key in the place of another', async (t) => {
  const { judged } = withKeys(...ALL)
  const tokens = new Map(ALL.map((key) => [key, withKeys(key).good()]))
  const partsOf = (key: SigningKey) => `${tokens.get(key)}`.split('.')
  const claims = JSON.parse(Buffer.from(partsOf(PAIRS.EdDSA)[1] ?? '', 'base64url').toString())

  t.test('rejects the header of one key with the signature of another', async (t) => {
    for (const key of ALL) {
      for (const other of ALL.filter((other) => other !== key)) {
        const [header] = partsOf(key)
        const [, payload, signature] = partsOf(other)
        t.equal(judged(`${header}.${payload}.${signature}`), 'token_invalid')
      }
    }
  })

  t.test('rejects a genuine signature under the kid of a key of another algorithm', async (t) => {
    for (const key of ALL) {
      for (const other of ALL.filter((other) => other !== key)) {
        const token = withKeys({ ...key, id: other.id }).good()
        t.match(headerOf(token), { alg: key.algorithm, kid: other.id })
        t.equal(judged(token), 'token_invalid')
      }
    }
  })

  t.test('rejects HS256 with a public key as secret, in every encoding, under every kid', async (t) => {
    let tried = 0
    for (const key of Object.values(PAIRS)) {
      for (const [spelling, secret] of Object.entries(spellingsOf(key))) {
        for (const { id: kid } of ALL) {
          for (const alg of ['HS256', key.algorithm]) {
            tried++
            const token = forge({ alg, typ: 'session+jwt', kid }, claims, secret)
            t.equal(judged(token), 'token_invalid', `${key.algorithm}: ${spelling} as ${alg}`)
          }
        }
      }
    }
    t.ok(tried >= 360)
  })

  t.test('rejects alg none under every kid, without and with a signature', async (t) => {
    for (const key of ALL) {
      const [, payload, signature] = partsOf(key)
      for (const alg of ['none', 'None', '', null]) {
        const header = encode({ alg, typ: 'session+jwt', kid: key.id })
        t.equal(judged(`${header}.${payload}.`), 'token_invalid')
        t.equal(judged(`${header}.${payload}.${signature}`), 'token_invalid')
      }
    }
  })

  t.test('rejects an unknown kid, an empty one, one of another type, and a missing one', async (t) => {
    for (const key of ALL) {
      for (const kid of ['other', '', `${key.id}x`, key.id.slice(1), key.id.toUpperCase()]) {
        t.equal(judged(withKeys({ ...key, id: kid }).good()), 'token_invalid')
      }
    }
    for (const kid of [null, 0, [secretKey(SECRET).id], undefined]) {
      t.equal(judged(forge({ alg: 'HS256', typ: 'session+jwt', kid }, claims, SECRET)), 'token_invalid')
    }
  })
})

t.test('a ring that changes', async (t) => {
  const [first, second] = [PAIRS.EdDSA, PAIRS.ES256]

  t.test('signs with the first key, and verifies with all', async (t) => {
    const { ring, good, judged } = withKeys(first, second)
    const old = good()
    ring.replace([second, first])
    const fresh = good()

    t.equal(headerOf(old).kid, first.id)
    t.equal(headerOf(fresh).kid, second.id)
    t.equal(judged(old), 'genuine')
    t.equal(judged(fresh), 'genuine')
  })

  t.test('does not sign with a standby key, even where it is the first', async (t) => {
    const standby = keyOf(newKey('EdDSA', { standby: true }))
    const { ring, good, judged } = withKeys(standby, secretKey(SECRET))

    t.equal(headerOf(good()).alg, 'HS256')
    t.strictSame(ring.published(), [standby.publicJwk])
    t.equal(judged(withKeys({ ...standby, signs: true }).good()), 'genuine', 'it checks')
  })

  t.test('rejects a ring in which no key may sign, and keeps the one before it', async (t) => {
    const { ring, good, judged } = withKeys(first)
    const token = good()

    t.throws(() => ring.replace([{ ...second, signs: false }]), /no key may sign/)
    t.throws(() => ring.replace([]), /no key may sign/)
    t.equal(judged(token), 'genuine')
    t.equal(headerOf(good()).kid, first.id)
  })

  t.test('rejects a token that was verified before, as soon as its key is removed', async (t) => {
    for (const key of ALL) {
      const rest = ALL.filter((other) => other !== key)
      const { ring, judged } = withKeys(...ALL)
      const token = withKeys(key).good()
      t.strictSame([judged(token), judged(token)], ['genuine', 'genuine'])

      ring.replace(rest)
      t.strictSame([judged(token), judged(token)], ['token_invalid', 'token_invalid'], key.algorithm)

      ring.replace([...rest, key])
      t.equal(judged(token), 'genuine', 'its key is back')
    }
  })

  t.test('rejects a token that was verified before, once another key has its kid', async (t) => {
    const usurper = { ...keyOf(newKey('EdDSA')), id: first.id }
    const { ring, good, judged } = withKeys(first)
    const token = good()
    t.equal(judged(token), 'genuine')

    ring.replace([usurper])

    t.equal(judged(token), 'token_invalid')
    t.equal(judged(good()), 'genuine')
  })

  t.test('keeps a key object when other keys come and go', async (t) => {
    const { ring } = withKeys(first)
    const before = ring.signing()
    ring.replace([keyOf(jwks.EdDSA), second])

    t.equal(ring.signing(), before)
    t.ok(ring.holds(before))
  })
})

t.test('the second verifier', async (t) => {
  t.test(
    'judges the ES256 and RS256 signatures of Wycheproof as Wycheproof does',
    needsCorpora(),
    async (t) => {
      const vectors = pairVectors()

      const disagreed = vectors.filter(
        ({ jws, pair, result }) => hasGenuinePairSignature(jws, pair) !== (result === 'valid'),
      )

      t.strictSame(
        disagreed.map(({ tcId, comment }) => `${tcId} ${comment}`),
        [],
      )
      t.ok(vectors.length > 250)
    },
  )
})

/** ECDSA signatures that careless implementations accept for any text (CVE-2022-21449). */
function edges(token: string) {
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
  const zero = Buffer.alloc(32)
  const one = Buffer.concat([Buffer.alloc(31), Buffer.of(1)])
  const below = Buffer.from(order)
  below[31] = 0x50
  const values = { zero, one, below, order }
  return Object.entries(values).flatMap(([r, left]) =>
    Object.entries(values).map(([s, right]) => ({
      name: `r is ${r}, s is ${s}`,
      token: token.replace(/[^.]*$/, Buffer.concat([left, right]).toString('base64url')),
    })),
  )
}

/** The ES256 and RS256 vectors of Wycheproof, with the key of each group. */
function pairVectors() {
  const { testGroups } = corpusJson<{
    testGroups: {
      public?: { alg?: string; crv?: string; kty: string }
      tests: { tcId: number; comment: string; jws: string; result: string }[]
    }[]
  }>('wycheproof/json_web_signature_test.json')
  return testGroups.flatMap(({ public: key, tests }) => {
    const alg = key?.alg
    if (alg !== 'ES256' && alg !== 'RS256') return []
    const pair: Pair = { alg, publicKey: createPublicKey({ key, format: 'jwk' } as never) }
    return tests.map((test) => ({ ...test, pair }))
  })
}
