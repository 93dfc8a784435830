import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { newKey } from '../../../src/tokens/keys/new-key.js'
import { claimsOf } from '../../helper.js'
import { temporaryDirectory } from '../../support/service-process.js'
import { forge, headerOf } from '../../support/tokens/forge.js'
import { type Probe, probe, request } from '../probe.js'

/** How long an instance may take to read a changed file, in milliseconds. */
const READ_LIMIT_MS = 3000

export const keyProbes: Probe[] = [
  probe('keys that come and go', {}, async ({ world, user, login, claim, accepted, refused }) => {
    const file = join(temporaryDirectory(), 'keys.json')
    const [earlier, later] = [newKey('EdDSA'), newKey('ES256')]
    const write = (...keys: object[]) => writeFileSync(file, JSON.stringify({ keys }), { mode: 0o600 })
    write(earlier)
    const { url, pid } = await world.startInstance({ env: { JWT_KEYS_FILE: file } })
    const published = async (): Promise<string[]> => {
      const { body } = await request(url, 'GET', '/.well-known/jwks.json')
      return body.keys.map(({ kid }: { kid: string }) => kid)
    }
    const token = await login(user(0), url)
    await accepted(token, 'with the key of the file', [url])

    const key = `${(await request(url, 'GET', '/.well-known/jwks.json')).body.keys[0].x}`
    await refused(
      forge({ ...headerOf(token), alg: 'HS256' }, claimsOf(token), key),
      'the public key as a secret',
      [url],
    )

    write(later)
    process.kill(pid, 'SIGHUP')
    for (const end = performance.now() + READ_LIMIT_MS; performance.now() < end; await sleep(20)) {
      if ((await published()).join() === later.kid) break
    }
    claim((await published()).join() === later.kid, 'the keys of the file are not those that are published')
    // This token was checked before. What is remembered of it must not count once its key is gone.
    await refused(token, 'with a key that is gone', [url])
    await accepted(await login(user(0), url), 'with the key that came', [url])
  }),
]
