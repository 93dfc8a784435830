import {
  chmodSync,
  existsSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readKeySet } from '../../src/tokens/keys/key-set.js'
import { newKey } from '../../src/tokens/keys/new-key.js'
import type { PrivateJwk } from '../../src/tokens/keys/private-jwk.js'
import { PAIR_ALGORITHMS } from '../../src/tokens/keys/signing-key.js'
import { type Exit, runCli, temporaryDirectory } from '../support/service-process.js'
import { keyFile } from '../support/signing-keys.js'

const directory = temporaryDirectory()
const inDirectory = (name: string) => join(directory, name)

t.test('keys generate', async (t) => {
  for (const algorithm of PAIR_ALGORITHMS) {
    t.test(`exit 0 with a set of one ${algorithm} key on standard output`, async (t) => {
      const { code, stdout, stderr } = await keys('generate', '--algorithm', algorithm)

      t.equal(code, 0, stderr)
      t.equal(stderr, '')
      const path = inDirectory(`${algorithm}.json`)
      writeFileSync(path, stdout)
      t.match(readKeySet(path).keys, [{ algorithm, signs: true }])
      t.equal(JSON.parse(stdout).keys[0].kid, readKeySet(path).keys[0]?.id)
    })
  }

  t.test('exit 0 with a new EdDSA key each time, where no algorithm is named', async (t) => {
    const [one, other] = await Promise.all([keys('generate'), keys('generate')])

    const [first, second] = [one, other].map(({ stdout }) => JSON.parse(stdout).keys[0])
    t.match(first, { alg: 'EdDSA', use: 'sig', crv: 'Ed25519' })
    t.not(first.d, second.d)
    t.not(first.kid, second.kid)
  })

  t.test(
    'exit 0 with a new file of mode 600; of the key only its kid and algorithm are printed',
    async (t) => {
      const path = inDirectory('new.json')
      const { code, stdout } = await keys('generate', '--output', path)

      t.equal(code, 0)
      t.equal(statSync(path).mode & 0o777, 0o600)
      const [jwk] = readKeySet(path).jwks
      t.equal(stdout, `${jwk?.kid} EdDSA signs\n`)
    },
  )

  t.test('exit 0 with JSON for --standby, whose key does not sign', async (t) => {
    const path = inDirectory('standby.json')
    const { stdout } = await keys('generate', '--standby', '--json', '--output', path)

    const [key] = readKeySet(path).keys
    t.equal(key?.signs, false)
    t.strictSame(JSON.parse(stdout), { keys: [{ kid: key?.id, algorithm: 'EdDSA', signs: false }] })
  })

  t.test('exit 0 with one more key at the end of a file, whose mode and other members stay', async (t) => {
    const first: PrivateJwk = { ...newKey('ES256'), owner: 'us' }
    const { path } = keyFile(first)
    chmodSync(path, 0o640)
    const { code, stdout, stderr } = await keys('generate', '--add', path)

    t.equal(code, 0, stderr)
    const set = readKeySet(path)
    t.strictSame(set.jwks[0], first)
    t.match(set.keys, [{ algorithm: 'ES256' }, { algorithm: 'EdDSA' }])
    t.equal(stdout, `${first.kid} ES256 signs\n${set.keys[1]?.id} EdDSA checks\n`)
    t.equal(statSync(path).mode & 0o777, 0o640)
    t.notOk(existsSync(`${path}.new`))
  })

  t.test('exit 0 of --add to a link, whose target changes', async (t) => {
    const { path } = keyFile(newKey('EdDSA'))
    const link = inDirectory('link.json')
    symlinkSync(path, link)
    await keys('generate', '--add', link)

    t.equal(realpathSync(link), realpathSync(path))
    t.equal(readKeySet(path).keys.length, 2)
  })

  t.test('exit 1 of --output to a file that exists', async (t) => {
    const path = inDirectory('taken.json')
    writeFileSync(path, 'precious')

    refused(t, await keys('generate', '--output', path), /taken\.json exists already: --add adds a key to it/)
    t.equal(readFileSync(path, 'utf8'), 'precious')
  })

  t.test('exit 1 for a missing directory, a missing file, a directory and an invalid file', async (t) => {
    const { path, write } = keyFile(newKey('EdDSA'))
    write('{"keys":[{"kty":"OKP","d":"hunter2"}]}')

    refused(
      t,
      await keys('generate', '--output', inDirectory('none/keys.json')),
      /cannot be written \(ENOENT\)/,
    )
    refused(t, await keys('generate', '--add', inDirectory('none.json')), /cannot be read \(ENOENT\)/)
    refused(t, await keys('generate', '--add', directory), /cannot be read \(EISDIR\)/)
    refused(t, await keys('generate', '--add', path), /key 1: /)
    t.equal(readFileSync(path, 'utf8'), '{"keys":[{"kty":"OKP","d":"hunter2"}]}')
  })

  t.test('exit 0 for parallel --add with one key each, or exit 1 while another command adds', async (t) => {
    const { path } = keyFile(newKey('EdDSA'))
    const exits = await Promise.all(Array.from({ length: 6 }, () => keys('generate', '--add', path)))

    const added = exits.filter(({ code }) => code === 0)
    for (const exit of exits)
      if (exit.code !== 0) refused(t, exit, /another command is changing the keys now/)
    t.ok(added.length > 0)
    t.equal(readKeySet(path).keys.length, 1 + added.length)
  })
})

t.test('keys list', async (t) => {
  t.test('exit 0 with the key that signs, without secrets', async (t) => {
    const [standby, first, second] = [newKey('EdDSA', { standby: true }), newKey('ES256'), newKey('EdDSA')]
    const { path } = keyFile(standby, first, second)
    const { code, stdout } = await keys('list', '--file', path)

    t.equal(code, 0)
    t.equal(stdout, `${standby.kid} EdDSA checks\n${first.kid} ES256 signs\n${second.kid} EdDSA checks\n`)
  })

  t.test('exit 1 for a file without keys', async (t) => {
    const { path } = keyFile()

    refused(t, await keys('list', '--file', path), /holds no key/)
  })
})

t.test('keys promote', async (t) => {
  t.test('exit 0 with the key first, which signs; the order of the others stays', async (t) => {
    // One in 64 thumbprints begins with a dash, like an option.
    const [first, second, third] = [newKey('EdDSA'), newKey('ES256'), { ...newKey('EdDSA'), kid: '-third' }]
    const { path } = keyFile(first, second, third)
    const { code, stdout } = await keys('promote', '--file', path, '--kid', third.kid)

    t.equal(code, 0)
    t.strictSame(readKeySet(path).jwks, [third, first, second])
    t.match(stdout, `${third.kid} EdDSA signs\n`)
  })

  t.test('exit 0 for a standby key, which signs from now on', async (t) => {
    const [standby, second] = [newKey('EdDSA', { standby: true }), newKey('ES256')]
    const { path } = keyFile(standby, second)
    await keys('promote', '--file', path, '--kid', `${standby.kid}`)

    t.match(readKeySet(path).keys, [
      { id: standby.kid, signs: true },
      { id: second.kid, signs: true },
    ])
    t.match(readKeySet(path).jwks[0], { use: 'sig' })
    t.notOk('key_ops' in (readKeySet(path).jwks[0] ?? {}))
  })
})

t.test('keys remove', async (t) => {
  t.test('exit 0 without the key in the file', async (t) => {
    const [first, second] = [newKey('EdDSA'), newKey('ES256')]
    const { path } = keyFile(first, second)
    const { code, stdout } = await keys('remove', '--file', path, '--kid', `${second.kid}`, '--json')

    t.equal(code, 0)
    t.strictSame(readKeySet(path).jwks, [first])
    t.strictSame(JSON.parse(stdout), { keys: [{ kid: first.kid, algorithm: 'EdDSA', signs: true }] })
  })

  t.test('exit 1 for the key that signs, the only key and an unknown kid', async (t) => {
    const [first, second] = [newKey('EdDSA'), newKey('ES256')]
    const { path } = keyFile(first, second)
    const alone = newKey('EdDSA', { standby: true })
    const only = keyFile(alone).path
    const before = readFileSync(path, 'utf8')

    refused(
      t,
      await keys('remove', '--file', path, '--kid', `${first.kid}`),
      /this key signs: promote another/,
    )
    refused(t, await keys('remove', '--file', only, '--kid', `${alone.kid}`), /this is the only key/)
    refused(t, await keys('remove', '--file', path, '--kid', 'none'), /no key with this kid/)
    refused(t, await keys('promote', '--file', path, '--kid', 'none'), /no key with this kid/)
    t.equal(readFileSync(path, 'utf8'), before)
    t.notOk(existsSync(`${path}.new`))
  })
})

function keys(...args: string[]): Promise<Exit> {
  return runCli(['keys', ...args])
}

function refused(t: Test, { code, stdout, stderr }: Exit, why: RegExp): void {
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /^auth-service: [^\n]+\n$/)
  t.match(stderr, why)
  t.notMatch(stderr, 'hunter2')
}
