import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import t, { type Test } from 'tap'
import { OperatorError } from '../../src/refusals/operator-error.js'
import { isPublishedPair } from '../../src/secrets/published-keys.js'
import { readKeySet } from '../../src/tokens/keys/key-set.js'
import { newKey } from '../../src/tokens/keys/new-key.js'
import type { PrivateJwk } from '../../src/tokens/keys/private-jwk.js'
import { PAIR_ALGORITHMS, thumbprint } from '../../src/tokens/keys/signing-key.js'
import { corpusJson, needsCorpora } from '../support/corpora.js'
import { freePort } from '../support/servers.js'
import { runCli } from '../support/service-process.js'
import { keyFile, oneOfEach } from '../support/signing-keys.js'

const GOOD = oneOfEach()
const OTHER = oneOfEach()
const { EdDSA, ES256, RS256 } = GOOD

/** The private members of a key. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi']

t.test('accepts a key set', async (t) => {
  t.test('with a key of each kind, in the order of the file', async (t) => {
    const { keys } = readKeySet(keyFile(RS256, EdDSA, ES256).path)

    t.strictSame(
      keys.map(({ id, algorithm, signs }) => ({ id, algorithm, signs })),
      [
        { id: RS256.kid, algorithm: 'RS256', signs: true },
        { id: EdDSA.kid, algorithm: 'EdDSA', signs: true },
        { id: ES256.kid, algorithm: 'ES256', signs: true },
      ],
    )
  })

  for (const algorithm of PAIR_ALGORITHMS) {
    t.test(`with a key that jose has made for ${algorithm}, named by its thumbprint`, async (t) => {
      const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
      const jwk = await exportJWK(privateKey)

      const [key] = readKeySet(keyFile(jwk as PrivateJwk).path).keys

      t.equal(key?.algorithm, algorithm)
      t.equal(key?.id, await calculateJwkThumbprint(jwk))
      for (const name of SECRET_MEMBERS) t.notOk(name in (key?.publicJwk ?? {}), name)
    })
  }

  t.test('with a byte order mark, as Windows writes it', async (t) => {
    const { path, write } = keyFile()
    write(`\ufeff${JSON.stringify({ keys: [EdDSA] }, null, 2)}\r\n`)

    t.equal(readKeySet(path).keys[0]?.id, EdDSA.kid)
  })

  t.test('with a chosen kid, with key_ops and with unknown members', async (t) => {
    const { kid: _, use: __, ...bare } = EdDSA
    const file = keyFile(
      { ...bare, kid: 'spring-2026', key_ops: ['sign', 'verify'], nbf: 1, owner: 'us' },
      { ...ES256, key_ops: ['verify'] },
    )

    const [first, second] = readKeySet(file.path).keys

    t.match(first, { id: 'spring-2026', signs: true })
    t.match(second, { id: ES256.kid, signs: false })
    t.notOk('owner' in (first?.publicJwk ?? {}))
  })
})

t.test('computes the thumbprint of RFC 8037, appendix A.3', async (t) => {
  const key = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }

  t.equal(thumbprint(createPublicKey({ key, format: 'jwk' })), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
})

t.test('rejects a key pair whose private half is published', async (t) => {
  const published: Record<string, PrivateJwk> = {
    'RFC 8037, appendix A.1': {
      kty: 'OKP',
      crv: 'Ed25519',
      d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
      x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
    },
    'RFC 7515, appendix A.3': {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
    },
    'RFC 7517, appendix A.2': {
      kty: 'EC',
      crv: 'P-256',
      x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
      y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
      d: '870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE',
    },
  }
  for (const [source, key] of Object.entries(published)) {
    t.test(source, async (t) => {
      for (const named of [key, { ...key, kid: 'ours', alg: key.kty === 'EC' ? 'ES256' : 'EdDSA' }]) {
        t.throws(() => readKeySet(keyFile(EdDSA, named).path), {
          message: /keys\.json: key 2: is printed in some documentation/,
        })
      }
    })
  }

  t.test('RFC 7515, appendix A.2, and jwt.io, by the digest of the public half', async (t) => {
    const moduli = {
      'RFC 7515, appendix A.2':
        'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
      'jwt.io':
        'u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u-qKhbwKfBstIs-bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW_VDL5AaWTg0nLVkjRo9z-40RQzuVaE8AkAFmxZzow3x-VJYKdjykkJ0iT9wCS0DRTXu269V264Vf_3jvredZiKRkgwlL9xNAwxXFg0x_XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC-9aGVd-Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmw',
    }
    for (const [source, n] of Object.entries(moduli)) {
      const publicKey = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
      t.equal(isPublishedPair(thumbprint(publicKey)), true, source)
    }
  })
})

t.test(
  'rejects a key set, with its path and the place of the key, without anything of the key',
  async (t) => {
    const bad: Record<string, [unknown, RegExp]> = {
      'no object': [null, /expected an object/],
      'a list': [[EdDSA], /expected an object/],
      'a string': ['EdDSA', /expected an object/],
      'a secret': [{ kty: 'oct', k: EdDSA.d }, /is a secret: set JWT_SECRET/],
      'no kty': [without(EdDSA, 'kty'), /kty, crv: expected/],
      'no crv': [without(EdDSA, 'crv'), /kty, crv: expected/],
      'a curve of another kind': [{ ...ES256, crv: 'Ed25519' }, /kty, crv: expected/],
      'P-384': [ofCurve('P-384'), /kty, crv: expected/],
      secp256k1: [ofCurve('secp256k1'), /kty, crv: expected/],
      Ed448: [generateKeyPairSync('ed448').privateKey.export({ format: 'jwk' }), /kty, crv: expected/],
      X25519: [generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' }), /kty, crv: expected/],
      'RSA of 1024 bits': [rsa(1024), /RSA of 1024 bits: expected 2048 to 4096/],
      'RSA of 8192 bits': [
        { ...RS256, n: Buffer.alloc(1024, 255).toString('base64url') },
        /RSA of 8192 bits/,
      ],
      'RSA with the exponent 3': [rsa(2048, 3), /e: expected an exponent of 65537 or more/],
      'the alg of another kind': [{ ...EdDSA, alg: 'ES256' }, /alg: expected EdDSA/],
      'the alg HS256': [{ ...ES256, alg: 'HS256' }, /alg: expected ES256/],
      'the alg none': [{ ...ES256, alg: 'none' }, /alg: expected ES256/],
      'another alg of RSA': [{ ...RS256, alg: 'PS256' }, /alg: expected RS256/],
      'a list as alg': [{ ...RS256, alg: ['RS256'] }, /alg: expected RS256/],
      'use enc': [{ ...EdDSA, use: 'enc' }, /use: expected sig/],
      'key_ops for something else': [{ ...EdDSA, key_ops: ['encrypt'] }, /key_ops: expected sign or verify/],
      'no key_ops': [{ ...EdDSA, key_ops: [] }, /key_ops: expected sign or verify/],
      'key_ops as text': [{ ...EdDSA, key_ops: 'sign' }, /key_ops: expected sign or verify/],
      'an empty kid': [{ ...EdDSA, kid: '' }, /kid: expected/],
      'a kid that is a number': [{ ...EdDSA, kid: 1 }, /kid: expected/],
      'a kid that is null': [{ ...EdDSA, kid: null }, /kid: expected/],
      'a kid with a space': [{ ...EdDSA, kid: 'key 1' }, /kid: expected/],
      'a kid of two lines': [{ ...EdDSA, kid: 'key\n1' }, /kid: expected/],
      'a kid beyond ASCII': [{ ...EdDSA, kid: 'clé' }, /kid: expected/],
      'a kid of 65 characters': [{ ...EdDSA, kid: 'k'.repeat(65) }, /kid: expected/],
      'the private part of another EdDSA': [{ ...EdDSA, d: OTHER.EdDSA.d }, /do not fit together/],
      'the private part of another ES256': [{ ...ES256, d: OTHER.ES256.d }, /do not fit together/],
      'a part of another RS256': [{ ...RS256, d: OTHER.RS256.d }, /do not fit together/],
      'the modulus of another RS256': [{ ...RS256, n: OTHER.RS256.n }, /do not fit together/],
      'a number that is no factor': [{ ...RS256, p: RS256.n, q: 'AQ' }, /do not fit together/],
      'a point that is not on the curve': [{ ...ES256, x: OTHER.ES256.x }, /is malformed/],
      'the kid of the first key': [{ ...ES256, kid: EdDSA.kid }, /key 2 and key 1 have the same kid/],
      'the first key under another kid': [{ ...EdDSA, kid: 'another' }, /key 2 and key 1 are the same key/],
    }
    for (const [kind, key] of Object.entries(GOOD)) {
      const publicPart = Object.fromEntries(
        Object.entries(key).filter(([name]) => !SECRET_MEMBERS.includes(name)),
      )
      bad[`a public ${kind}`] = [publicPart, /is a public key: the private one is needed/]
      for (const name of ['crv', 'kty', 'x', 'y', 'n', 'e', ...SECRET_MEMBERS].filter(
        (name) => name in key,
      )) {
        for (const value of [
          undefined,
          null,
          '',
          'AA',
          '!',
          5,
          {},
          `${key[name]}=`,
          `${key[name]}`.slice(0, -3),
        ]) {
          bad[`${kind} whose ${name} is ${JSON.stringify(value)}`] = [{ ...key, [name]: value }, /key 2: /]
        }
      }
    }

    for (const [situation, [jwk, why]] of Object.entries(bad)) {
      t.test(situation, async (t) => refused(t, JSON.stringify({ keys: [EdDSA, jwk] }), why))
    }

    t.test('every key pair that Wycheproof calls invalid', needsCorpora(), async (t) => {
      const { testGroups } = corpusJson<{
        testGroups: { private?: { keys: PrivateJwk[] }; tests: { comment: string; result: string }[] }[]
      }>('wycheproof/json_web_key_test.json')
      const bad = testGroups.flatMap(({ private: set, tests }) => {
        const isInvalid = tests.every(({ result }) => result === 'invalid')
        const [key, ...more] = set?.keys ?? []
        return key && more.length === 0 && key.kty !== 'oct' && isInvalid
          ? [{ key, name: `${tests[0]?.comment}` }]
          : []
      })

      for (const { key, name } of bad) {
        t.throws(() => readKeySet(keyFile(key).path), { message: /^the key set [^\n]+: key 1: / }, name)
      }
      t.ok(bad.length >= 10)
      t.ok(bad.some(({ name }) => name === 'rejectsKeyWithRocaVulnerability'))
    })

    const files: Record<string, [string, RegExp]> = {
      'an empty file': ['', /expected a JWK set/],
      'half of a file': ['{"keys":[{"kty":"OKP","crv":"Ed', /expected a JWK set/],
      null: ['null', /expected a JWK set/],
      'a list of keys': [JSON.stringify([EdDSA]), /expected a JWK set/],
      'one key alone': [JSON.stringify(EdDSA), /expected a JWK set/],
      'an object as keys': [JSON.stringify({ keys: { EdDSA } }), /expected a JWK set/],
      PEM: [
        generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        /expected/,
      ],
      'no keys': ['{"keys":[]}', /holds no key/],
    }
    for (const [situation, [text, why]] of Object.entries(files)) {
      t.test(situation, async (t) => refused(t, text, why))
    }

    t.test('bytes that are not UTF-8', async (t) => {
      const { path, write } = keyFile(EdDSA)
      for (const bytes of [
        Buffer.from(JSON.stringify({ keys: [EdDSA], owner: '\xe9' }), 'latin1'),
        Buffer.from(`\ufeff${JSON.stringify({ keys: [EdDSA] })}`, 'utf16le'),
      ]) {
        write(bytes)
        t.throws(() => readKeySet(path), { message: `the key set ${path}: is not UTF-8` })
      }
    })

    t.test('a missing file, and a directory', async (t) => {
      const { path } = keyFile(EdDSA)
      mkdirSync(`${path}.d`)

      t.throws(() => readKeySet(`${path}.none`), { message: /keys\.json\.none: cannot be read \(ENOENT\)$/ })
      t.throws(() => readKeySet(`${path}.d`), { message: /keys\.json\.d: cannot be read \(EISDIR\)$/ })
    })
  },
)

t.test('calls a file exposed that every user of the machine may read', async (t) => {
  const { path } = keyFile(EdDSA)

  t.equal(readKeySet(path).exposed, false)
  for (const [mode, exposed] of [
    [0o640, false],
    [0o440, false],
    [0o644, true],
    [0o444, true],
  ] as const) {
    chmodSync(path, mode)
    t.equal(readKeySet(path).exposed, exposed, mode.toString(8))
  }
})

t.test('exit 1 of serve with one line for a bad JWT_KEYS_FILE, before it waits for a store', async (t) => {
  const nobody = `127.0.0.1:${await freePort()}`
  const env = { DATABASE_URL: `postgres://u@${nobody}/auth`, REDIS_URL: `redis://${nobody}` }
  const { path } = keyFile(EdDSA, newKey('ES256'), { kty: 'oct', k: 'hunter2' })
  const bad: Record<string, RegExp> = {
    [path]: /keys\.json: key 3: is a secret/,
    [`${path}.none`]: /keys\.json\.none: cannot be read \(ENOENT\)/,
    [dirname(path)]: /cannot be read \(EISDIR\)/,
  }

  for (const [file, why] of Object.entries(bad)) {
    for (const WEB_CONCURRENCY of ['1', '2']) {
      const exit = await runCli(['serve'], { ...env, JWT_KEYS_FILE: file, WEB_CONCURRENCY })

      t.equal(exit.code, 1)
      t.match(exit.stderr, /^auth-service: the key set [^\n]+\n$/)
      t.match(exit.stderr, why)
      t.notMatch(exit.stdout, 'waiting for')
      t.notMatch(exit.stderr, 'hunter2')
    }
  }
})

function refused(t: Test, text: string, why: RegExp): void {
  const file = keyFile(EdDSA)
  file.write(text)
  try {
    readKeySet(file.path)
    t.fail('it was accepted')
  } catch (error) {
    const { message } = error as Error
    t.type(error, OperatorError, message)
    t.match(message, why)
    t.ok(message.startsWith(`the key set ${file.path}: `))
    t.notMatch(message, '\n')
    for (const key of Object.values(GOOD)) {
      for (const name of SECRET_MEMBERS) {
        const piece = `${key[name] ?? 'no such member'}`.slice(2, 20)
        t.notOk(message.includes(piece), name)
      }
    }
  }
}

function without(jwk: PrivateJwk, name: string): PrivateJwk {
  return Object.fromEntries(Object.entries(jwk).filter(([key]) => key !== name))
}

function ofCurve(namedCurve: string) {
  return generateKeyPairSync('ec', { namedCurve }).privateKey.export({ format: 'jwk' })
}

function rsa(modulusLength: number, publicExponent = 65_537) {
  return generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey.export({ format: 'jwk' })
}
