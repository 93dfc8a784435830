import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/config/config.js'
import { FILE_SETTINGS } from '../../src/config/secret-files.js'
import { isStrongSecret } from '../../src/secrets/signing-secret.js'
import { SECRET } from '../helper.js'
import { RANDOM_SECRETS, sampleBytes } from '../support/random-secrets.js'
import { temporaryDirectory } from '../support/service-process.js'

const STORES = { DATABASE_URL: 'postgres://u:p@db.test:5432/auth', REDIS_URL: 'redis://redis.test:6379' }

const SERVERS = {
  ...STORES,
  JWT_SECRET: SECRET,
  JWT_PREVIOUS_SECRETS: `${sampleBytes(1).toString('base64')},${sampleBytes(2).toString('hex')}`,
  REDIS_MODE: 'sentinel',
  REDIS_SENTINEL_NAME: 'auth',
  REDIS_SENTINEL_PASSWORD: 'three green lanterns',
}

/** random-secrets.test.ts takes more samples. */
const SAMPLES = 200

const WEAK: Record<string, string[]> = {
  'shorter than 32 bytes': [
    'kXp2s5v8yBxEaHcMbQeThWmZq4t7wYz',
    'x',
    sampleBytes(0).toString('base64').slice(0, 31),
  ],
  'text of documentation and tutorials': [
    'your-256-bit-secret'.repeat(2),
    'your_jwt_secret_here_your_jwt_secret_here',
    'a-string-secret-at-least-256-bits-long',
    'supersecretkeyyoushouldnotcommittogithub',
    'change-me-change-me-change-me-change-me',
    'insecure-key-for-development-only-do-not-use',
    'please replace this placeholder by a real key',
    'MyDefaultSigningKeyForTheAuthenticationService',
    'passwordpasswordpasswordpassword',
    'secret'.repeat(6),
    'test-secret-test-secret-test-secret',
  ],
  'one piece repeated': [
    'a'.repeat(64),
    'ab'.repeat(32),
    '0'.repeat(32),
    ' '.repeat(40),
    '1234567890'.repeat(4),
    'asdfghjkl'.repeat(4),
    'keyboardcat'.repeat(3),
    'k3yB'.repeat(10),
    'auth-service '.repeat(3),
    '密钥'.repeat(20),
  ],
  'keyboard and alphabet runs': [
    'qwertyuiopasdfghjklzxcvbnm123456',
    'zxcvbnm,./asdfghjkl;qwertyuiop[]',
    '1q2w3e4r5t6y7u8i9o0pazsxdcfvgbhn',
    '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9',
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'zyxwvutsrqponmlkjihgfedcba9876543210',
    '0123456789abcdef0123456789abcdef',
    '00112233445566778899aabbccddeeff',
    'ffeeddccbbaa99887766554433221100',
    'aabbccddeeffgghhiijjkkllmmnnoopp',
  ],
  words: [
    'thequickbrownfoxjumpsoverthelazydog',
    'the quick brown fox jumps over the lazy dog',
    'Lorem ipsum dolor sit amet, consectetur adipiscing',
    'correct horse battery staple correct horse',
    'gatekeeper-of-the-authentication-service',
    'MyVeryLongAndSuperSafeKeyForSigningTokens1!',
    'My Dog Ate My Homework Last Tuesday Morning',
    'TheCatSatOnTheMatAndTheDogRanOffToTheSea',
    'WoShiYiGeZhongGuoRenWoAiBeijingTianAnMen',
    'El-perro-de-Jota-se-llamaba-Hugo',
    'Vielleicht-Sollten-Wir-Morgen-Nach-Berlin-Fahren',
    'VideoPlatform-AuthService-HS256-Key-v1',
    'MyC0mp4nyS3cr3tK3yF0rJWTs1gn1ngN0w!!',
    '密钥是一个不能告诉别人的很长的句子',
  ],
  'alphabet runs in upper and lower case': [
    'aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsS',
    'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8',
    'ZyXwVuTsRqPoNmLkJiHgFeDcBa0987654321',
    'AAAABBBBCCCCDDDDaaaabbbbccccdddd0000',
    'AbAbBaAaBbAbAaBaBbAbAbBaAaBbAbAaBaBb',
  ],
  'two UUIDs': ['0b5ff5a4-5a3c-4e0f-9a37-5a1f6a3e7d3cc6c5a9a1-3f0e-4d0b-8b1f-2f6d1f7f0d11'],
  'a token': [
    'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI3MjQ4MTk0MDUyIn0.pO1bYhK7vJ3mQzX9rT5wLcN2dF8gS6aE4uViRkMjHxB',
  ],
  'the public half of a key pair': publicParts(),
  'a key that an RFC prints': [
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  ],
}

t.test('rejects as a signing key', async (t) => {
  for (const [kind, secrets] of Object.entries(WEAK)) {
    t.test(kind, async (t) => {
      for (const secret of secrets) {
        t.throws(
          () => loadConfig({ ...STORES, JWT_SECRET: secret }),
          { message: /^cannot start: JWT_SECRET: / },
          secret,
        )
      }
    })
  }
})

/**
 * Bytes that are no secret. Encoded, they look random.
 */
const NO_SECRETS: Record<string, Buffer> = {
  words: Buffer.from('correct horse battery staple correct horse'),
  'words, each with a capital letter': Buffer.from('MyVeryLongKeyWhichNobodyKnowsAtAll'),
  'Chinese words': Buffer.from('密钥是一个不能告诉别人的很长的句子'),
  'one letter': Buffer.from('A'.repeat(48)),
  'a pattern': Buffer.from('k3yB'.repeat(10)),
  'a UUID': Buffer.from('550e8400-e29b-41d4-a716-446655440000'),
  'the hexadecimal of 16 bytes': Buffer.from('8f14e45fceea167a5a36dedd4bea2543'),
  digits: Buffer.from('31415926535897932384626433832795028841971'),
  'an address': Buffer.from('https://auth.video-platform.example/v1/keys'),
  'a JWK': Buffer.from('{"kty":"oct","k":"kXp2s5v8yBxEaHcMbQeThWmZq4t7wYzCfGjNrRuUxAe"}'),
  'a public key in PEM': Buffer.from(publicParts()[0] ?? ''),
  'zero bytes': Buffer.alloc(48),
  'bytes that count up': Buffer.from(Array.from({ length: 48 }, (_, index) => index)),
  'numbers that count up': Buffer.from(new Uint32Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).buffer),
  'a pattern of bytes': Buffer.from('9f8e7d6c5b4a39281706f5e4d3c2b1a0'.repeat(2), 'hex'),
  'few different bytes': Buffer.from(
    '0001010001000001010001010100010000010100010100010001000101010001',
    'hex',
  ),
  'words in UTF-16': Buffer.from('the quick brown fox jumps over', 'utf16le'),
  'words in Latin-1': Buffer.from('Über den Wölken muß die Freiheit wohl grenzenlos sein', 'latin1'),
  'words in GB 18030': Buffer.from(
    'c3dcd4bfcac7d2bbb8f6b2bbc4dcb8e6cbdfb1f0c8cbb5c4badcb3a4b5c4bee4d7d3',
    'hex',
  ),
}

const ENCODINGS: Record<string, (bytes: Buffer) => string> = {
  base64: (bytes) => bytes.toString('base64'),
  'base64 in lines': (bytes) => `${bytes.toString('base64').replace(/.{20}/g, '$&\n')}\n`,
  'base64 with padding of its own': (bytes) => `${bytes.toString('base64url')}====`,
  base64url: (bytes) => bytes.toString('base64url'),
  'base64 in quotes': (bytes) => `"${bytes.toString('base64')}"`,
  'base64, as Laravel writes it': (bytes) => `base64:${bytes.toString('base64')}`,
  'base64, percent-encoded': (bytes) => encodeURIComponent(`${bytes.toString('base64')}==`),
  'base64 of base64': (bytes) => Buffer.from(bytes.toString('base64')).toString('base64'),
  'base64 of hexadecimal': (bytes) => Buffer.from(bytes.toString('hex')).toString('base64'),
  hexadecimal: (bytes) => bytes.toString('hex'),
  'large hexadecimal': (bytes) => bytes.toString('hex').toUpperCase(),
  'hexadecimal with 0x': (bytes) => `0x${bytes.toString('hex')}`,
  'hexadecimal with colons': (bytes) => bytes.toString('hex').replace(/..(?=.)/g, '$&:'),
  'hexadecimal of base64': (bytes) => Buffer.from(bytes.toString('base64')).toString('hex'),
  'percent-encoding': (bytes) => bytes.toString('hex').replace(/../g, '%$&'),
}

t.test('rejects as a signing key, in every encoding', async (t) => {
  for (const [kind, bytes] of Object.entries(NO_SECRETS)) {
    t.test(kind, async (t) => {
      for (const [encoding, encode] of Object.entries(ENCODINGS)) {
        t.equal(isStrongSecret(encode(bytes)), false, encoding)
      }
    })
  }
})

/** Keys that look random, by where they are published. */
const PUBLISHED: Record<string, string> = {
  'the documentation of FastAPI': '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7',
  'RFC 7515, appendix A.1':
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'RFC 7520, section 3.5': 'hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg',
  'jwt.io':
    'NTNv7j0TuYARvmNMmWXo6fKvM4o6nv/aUi9ryX38ZH+L1bkrnD1ObOQ8JAUmHCBq7Iy7otZcyAagBLHVKvvYaIpmMuxmARQ97jUVG16Jkpkp1wXOPsrF9zwew6TpczyHkHgX5EuLg2MeBuiT/qJACs1J0apruOOJCg/gOtkjB4c=',
  'a tutorial of Spring': '404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970',
  'the documentation of jose': 'zH4NRP1HMALxxCFnRZABFA7GOJtzU_gIj02alfL1lvI',
  'the default of Dify': 'sk-9f73s3ljTXVcMT3Blb3ljTqtsKiGHXVcMT3BlbkFJLK7U',
  'a list of secrets': '7MPOu1IDBsTerTnLvLMYpp4vE80sRYFv',
  'the SHA-256 of secret': '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b',
  'the SHA-256 of nothing': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
}

t.test('rejects as a signing key, in every spelling, a published one', async (t) => {
  for (const [source, key] of Object.entries(PUBLISHED)) {
    t.test(source, async (t) => {
      const spelled = [key, `${key}\n`, ` ${key}`, `"${key}"`, key.replace(/=+$/, ''), `${key}==`]
      const bytes = Buffer.from(key, /^[\da-f]+$/i.test(key) ? 'hex' : 'base64')
      for (const secret of spelled) t.equal(isStrongSecret(secret), false, JSON.stringify(secret))
      for (const [encoding, encode] of Object.entries(ENCODINGS)) {
        t.equal(isStrongSecret(encode(Buffer.from(key))), false, `${encoding} of the text`)
        if (source !== 'the default of Dify')
          t.equal(isStrongSecret(encode(bytes)), false, `${encoding} of what it decodes to`)
      }
    })
  }

  t.test('one among JWT_PREVIOUS_SECRETS', async (t) => {
    const message = refusal({ ...SERVERS, JWT_PREVIOUS_SECRETS: `${SECRET},${Object.values(PUBLISHED)[0]}` })

    t.match(message, /^cannot start: JWT_PREVIOUS_SECRETS: /)
    t.notMatch(message, '09d25e')
  })
})

t.test('accepts as a signing key', async (t) => {
  for (const [form, print] of Object.entries(RANDOM_SECRETS)) {
    t.test(`results of ${form}`, async (t) => {
      const refused = Array.from({ length: SAMPLES }, (_, index) => print(sampleBytes(index))).filter(
        (secret) => !isStrongSecret(secret),
      )

      t.same(refused, [])
    })
  }
})

t.test('judges a secret of a million characters within 10 s', async (t) => {
  const before = performance.now()
  t.equal(isStrongSecret('kXp2s5v8'.repeat(125_000)), false)
  t.equal(
    isStrongSecret(
      Array.from({ length: 15_000 }, (_, index) => sampleBytes(index).toString('base64')).join(''),
    ),
    true,
  )

  t.ok(performance.now() - before < 10_000)
})

t.test('<NAME>_FILE', async (t) => {
  const directory = temporaryDirectory()
  const write = (name: string, text: string | Uint8Array) => {
    writeFileSync(`${directory}/${name}`, text)
    return `${directory}/${name}`
  }

  for (const name of FILE_SETTINGS) {
    t.test(`reads ${name} from its file, without the line break at the end`, async (t) => {
      const { [name]: value, ...others } = SERVERS

      const config = loadConfig({ ...others, [`${name}_FILE`]: write(name, `${value}\n`) })

      t.same(config, loadConfig(SERVERS))
    })

    t.test(`rejects a ${name}_FILE that does not exist or is a directory`, async (t) => {
      const { [name]: _, ...others } = SERVERS

      const missing = refusal({ ...others, [`${name}_FILE`]: `${directory}/none` })
      const unreadable = refusal({ ...others, [`${name}_FILE`]: directory })

      t.match(missing, new RegExp(`${name}_FILE: cannot be read \\(ENOENT\\)`))
      t.match(unreadable, new RegExp(`${name}_FILE: cannot be read \\(EISDIR\\)`))
    })

    t.test(`rejects a ${name}_FILE that is not text`, async (t) => {
      const { [name]: value, ...others } = SERVERS
      writeFileSync(`${directory}/utf16`, Buffer.from(`\ufeff${value}`, 'utf16le'))

      const message = refusal({ ...others, [`${name}_FILE`]: `${directory}/utf16` })

      t.match(message, `${name}_FILE: is not UTF-8`)
    })

    t.test(`rejects both ${name} and ${name}_FILE`, async (t) => {
      const message = refusal({ ...SERVERS, [`${name}_FILE`]: write(name, SERVERS[name]) })

      t.match(message, new RegExp(`^cannot start: ${name}: is set twice`))
      t.notOk(message.includes(SERVERS[name]))
    })

    t.test(`reads ${name} from its file as Windows writes it`, async (t) => {
      const { [name]: value, ...others } = SERVERS

      const config = loadConfig({ ...others, [`${name}_FILE`]: write(name, `\ufeff${value}\r\n`) })

      t.same(config, loadConfig(SERVERS))
    })

    t.test(`rejects a ${name}_FILE that is not UTF-8 or has more than one line`, async (t) => {
      const { [name]: value, ...others } = SERVERS
      const because = (content: string | Uint8Array) =>
        refusal({ ...others, [`${name}_FILE`]: write(name, content) })

      for (const bytes of [
        Buffer.from(`${value}\xe9`, 'latin1'),
        Buffer.from(`\ufeff${value}`, 'utf16le'),
        Buffer.concat([Buffer.from(value), Buffer.from('eda080', 'hex')]),
      ]) {
        t.match(because(bytes), `${name}_FILE: is not UTF-8`)
      }
      for (const content of [
        `${value}\n${value}\n`,
        `${value}\r\nx`,
        `${value}\rx`,
        `# a note\n${value}\n`,
      ]) {
        t.match(because(content), `${name}_FILE: has more than one line`)
        t.notMatch(because(content), value)
      }
    })

    t.test(
      `rejects a ${name} with U+FFFD, which Node.js puts in place of bytes that are not UTF-8`,
      async (t) => {
        const value = `${SERVERS[name]}\ufffd`

        t.match(refusal({ ...SERVERS, [name]: value }), `${name}: is not UTF-8`)
      },
    )

    t.test(`rejects an empty ${name}_FILE`, async (t) => {
      const { [name]: _, ...others } = SERVERS

      t.match(refusal({ ...others, [`${name}_FILE`]: write(name, '\n') }), `${name}: `)
    })
  }

  t.test('rejects a bad value in a file, without repeating it', async (t) => {
    const message = refusal({ ...STORES, JWT_SECRET_FILE: write('weak', 'hunter2hunter2') })

    t.match(message, /^cannot start: JWT_SECRET: expected /)
    t.notMatch(message, 'hunter2')
  })
})

/** Public keys that an operator might mistake for a secret, with which anybody could sign. */
function publicParts(): string[] {
  const pairs = [
    generateKeyPairSync('ed25519'),
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ]
  return pairs.flatMap(({ publicKey }) => [
    publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64url'),
    JSON.stringify(publicKey.export({ format: 'jwk' })),
  ])
}

function refusal(environment: NodeJS.ProcessEnv): string {
  try {
    loadConfig(environment)
  } catch (error) {
    return (error as Error).message
  }
  return 'accepted'
}
