import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { newKey } from '../../src/tokens/keys/new-key.js'
import { environmentOf, SECRET, startBackends } from '../helper.js'
import { bannerOf } from '../support/embedded-home.js'
import { startService, temporaryDirectory } from '../support/service-process.js'
import { keyFile } from '../support/signing-keys.js'

const backends = await startBackends(t)

/** Settings that name files with secrets, and these files, which have this mode. */
function secretFiles(mode: number) {
  const directory = temporaryDirectory()
  const { DATABASE_URL, REDIS_URL } = environmentOf(backends)
  const contents = {
    DATABASE_URL_FILE: DATABASE_URL,
    REDIS_URL_FILE: REDIS_URL,
    JWT_SECRET_FILE: SECRET,
    JWT_PREVIOUS_SECRETS_FILE: [...SECRET].reverse().join(''),
  }
  const env: Record<string, string> = { JWT_KEYS_FILE: keyFile(newKey('EdDSA')).path, BCRYPT_COST: '10' }
  for (const [name, text] of Object.entries(contents)) {
    env[name] = join(directory, name)
    writeFileSync(env[name], text)
  }
  const files = Object.entries(env).filter(([name]) => name.endsWith('_FILE'))
  for (const [, path] of files) chmodSync(path, mode)
  return { env, files }
}

t.test('warns once of each file with a secret that every user of the machine may read', async (t) => {
  for (const mode of [0o644, 0o604, 0o606]) {
    const { env, files } = secretFiles(mode)
    const service = await startService(t, { env })
    await service.stop()

    for (const [name, path] of files) t.equal(warnings(service.stdout(), path).length, 1, name)
    t.notMatch(service.stdout(), SECRET)
  }
})

t.test('warns once, and not by every process, with WEB_CONCURRENCY=2', async (t) => {
  const { env, files } = secretFiles(0o644)
  const service = await startService(t, { env: { ...env, WEB_CONCURRENCY: '2' } })
  await service.stop()

  for (const [name, path] of files.filter(([name]) => name !== 'JWT_KEYS_FILE')) {
    t.equal(warnings(service.stdout(), path).length, 1, name)
  }
})

t.test('does not warn of a file that only the owner and a group may read', async (t) => {
  const { env } = secretFiles(0o640)
  const service = await startService(t, { env })
  await service.stop()

  t.notMatch(service.stdout(), 'every user of this machine')
})

t.test('embedded mode', async (t) => {
  t.test('warns of a key and of a directory that every user may read', async (t) => {
    const dataDir = join(temporaryDirectory(), 'data')
    mkdirSync(dataDir, { mode: 0o755 })
    const path = join(dataDir, 'jwt_secret')
    writeFileSync(path, SECRET)
    chmodSync(path, 0o644)

    const service = await startService(t, { env: { DATA_DIR: dataDir } })

    t.equal(warnings(service.stdout(), path).length, 1)
    t.equal(warnings(service.stdout(), `${dataDir} `).length, 1)
    t.equal((statSync(dataDir).mode & 0o777).toString(8), '700')
  })

  t.test('does not warn at the first start', async (t) => {
    const dataDir = join(temporaryDirectory(), 'data')
    const service = await startService(t, { env: { DATA_DIR: dataDir } })
    await bannerOf(service)

    t.ok(existsSync(join(dataDir, 'jwt_secret')))
    t.notMatch(service.stdout(), 'every user of this machine')
  })
})

function warnings(output: string, path: string): string[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{') && JSON.parse(line).level === 40)
    .filter(
      (line) =>
        JSON.parse(line).msg.includes('every user of this machine') &&
        `${JSON.parse(line).msg} `.includes(path),
    )
}
