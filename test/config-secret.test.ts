import { createHash, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { FILE_SETTINGS, loadConfig } from '../src/config.js'
import { isStrongSecret } from '../src/signing-secret.js'
import { SECRET } from './helper.js'
import { temporaryDirectory } from './support/service-process.js'

const STORES = { DATABASE_URL: 'postgres://u:p@db.test:5432/auth', REDIS_URL: 'redis://redis.test:6379' }

const SERVERS = {
  ...STORES,
  JWT_SECRET: SECRET,
  JWT_PREVIOUS_SECRETS: `${random(1).toString('base64')},${random(2).toString('hex')}`,
}

const SAMPLES = 2000

const WEAK: Record<string, string[]> = {
  'shorter than 32 bytes': [
    'kXp2s5v8yBxEaHcMbQeThWmZq4t7wYz',
    'x',
    random(0).toString('base64').slice(0, 31),
  ],
  'texts of documentation and tutorials': [
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
  ],
  'what everybody may know of a key pair': publicParts(),
  'keys that are printed in an RFC': [
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  ],
}

t.test('refused as a signing key', async (t) => {
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

t.test('accepted as a signing key', async (t) => {
  const forms: Record<string, (bytes: Buffer) => string> = {
    'openssl rand -hex 32': (bytes) => bytes.subarray(0, 32).toString('hex'),
    'openssl rand -base64 32': (bytes) => bytes.subarray(0, 32).toString('base64'),
    'openssl rand -base64 48': (bytes) => bytes.toString('base64'),
    '32 bytes in base64url': (bytes) => bytes.subarray(0, 32).toString('base64url'),
  }

  for (const [form, print] of Object.entries(forms)) {
    t.test(`${SAMPLES} results of ${form}`, async (t) => {
      const refused = Array.from({ length: SAMPLES }, (_, index) => print(random(index))).filter(
        (secret) => !isStrongSecret(secret),
      )

      t.same(refused, [])
    })
  }
})

t.test('<NAME>_FILE', async (t) => {
  const directory = temporaryDirectory()
  const write = (name: string, text: string | Uint8Array) => {
    writeFileSync(`${directory}/${name}`, text)
    return `${directory}/${name}`
  }

  for (const name of FILE_SETTINGS) {
    t.test(`${name} comes from its file, without the line break at the end`, async (t) => {
      const { [name]: value, ...others } = SERVERS

      const config = loadConfig({ ...others, [`${name}_FILE`]: write(name, `${value}\n`) })

      t.same(config, loadConfig(SERVERS))
    })

    t.test(`refused: ${name}_FILE does not exist, or is a directory`, async (t) => {
      const { [name]: _, ...others } = SERVERS

      const missing = refusal({ ...others, [`${name}_FILE`]: `${directory}/none` })
      const unreadable = refusal({ ...others, [`${name}_FILE`]: directory })

      t.match(missing, new RegExp(`${name}_FILE: cannot be read \\(ENOENT\\)`))
      t.match(unreadable, new RegExp(`${name}_FILE: cannot be read \\(EISDIR\\)`))
    })

    t.test(`refused: both ${name} and ${name}_FILE`, async (t) => {
      const message = refusal({ ...SERVERS, [`${name}_FILE`]: write(name, SERVERS[name]) })

      t.match(message, new RegExp(`^cannot start: ${name}: is set twice`))
      t.notOk(message.includes(SERVERS[name]))
    })

    t.test(`${name} comes from its file as Windows writes it`, async (t) => {
      const { [name]: value, ...others } = SERVERS

      const config = loadConfig({ ...others, [`${name}_FILE`]: write(name, `\ufeff${value}\r\n`) })

      t.same(config, loadConfig(SERVERS))
    })

    t.test(`refused: ${name}_FILE is not UTF-8, or has more than one line`, async (t) => {
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

    t.test(`refused: ${name} holds what Node puts in the place of bytes that are not UTF-8`, async (t) => {
      const value = `${SERVERS[name]}\ufffd`

      t.match(refusal({ ...SERVERS, [name]: value }), `${name}: is not UTF-8`)
    })

    t.test(`refused: ${name}_FILE is empty`, async (t) => {
      const { [name]: _, ...others } = SERVERS

      t.match(refusal({ ...others, [`${name}_FILE`]: write(name, '\n') }), `${name}: `)
    })
  }

  t.test('refused: a bad value in a file, without the value', async (t) => {
    const message = refusal({ ...STORES, JWT_SECRET_FILE: write('weak', 'hunter2hunter2') })

    t.match(message, /^cannot start: JWT_SECRET: expected /)
    t.notMatch(message, 'hunter2')
  })
})

/** Public keys as an operator might mistake them for a secret: whoever knows one could sign with it. */
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

/**
 * 48 bytes that look random and are the same in every run: a well-known word turns up in about one of a million
 * truly random keys, and a test that fails once a year is worth less than none.
 */
function random(index: number): Buffer {
  return createHash('sha512').update(`sample ${index}`).digest().subarray(0, 48)
}

function refusal(environment: NodeJS.ProcessEnv): string {
  try {
    loadConfig(environment)
  } catch (error) {
    return (error as Error).message
  }
  return 'accepted'
}
