import assert from 'node:assert'
import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentOf, startBackends } from '../helper.js'
import { startClients } from '../support/live-clients.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'
import { runCli, startService, temporaryDirectory } from '../support/service-process.js'
import { publishedBy } from '../support/signing-keys.js'

t.test('keys change on two instances, while users log in and check', async (t) => {
  const backends = await startBackends(t)
  // Each instance has its own copy of the file: a change reaches one after the other, as deployed.
  const here = join(temporaryDirectory(), 'keys.json')
  const there = join(temporaryDirectory(), 'keys.json')
  await run('generate', '--standby', '--output', here)
  copyFileSync(here, there)
  const [one, other] = await Promise.all(
    [here, there].map((JWT_KEYS_FILE) =>
      startService(t, { env: { ...environmentOf(backends), JWT_KEYS_FILE } }),
    ),
  )
  assert(one && other)
  const clients = await startClients(t, backends, [one.url, other.url])

  t.test('refuses no token, whichever instance has read the change', async (t) => {
    const [first = ''] = keys()
    await clients.someChecks()
    t.equal(clients.algorithm(), 'HS256')

    await everywhere('promote', '--kid', first, '--file')
    await clients.allHave(first)
    for (const algorithm of ['ES256', 'RS256', 'EdDSA']) {
      const [old = ''] = keys()
      await everywhere('generate', '--algorithm', algorithm, '--add')
      const added = keys().at(-1) ?? ''
      await everywhere('promote', '--kid', added, '--file')
      // Only now may the earlier key go: no user holds a token of it any more.
      await clients.allHave(added)
      await everywhere('remove', '--kid', old, '--file')
      t.equal(clients.algorithm(), algorithm)
      t.strictSame(keys(), [added])
    }

    const { logins, checks, refused } = clients.counted()
    t.comment(`${logins} logins and ${checks} checks, ${refused.length} refused`)
    t.strictSame(refused, [])
    t.ok(checks > 400)
  })

  t.test('401 token_invalid where a key signs before all instances know it', async (t) => {
    await run('generate', '--add', here)
    await run('promote', '--kid', keys().at(-1) ?? '', '--file', here)

    await until(() => assert.ok(clients.counted().refused.length > 0), PATIENCE)
    for (const { error } of clients.counted().refused) t.equal(error, 'token_invalid')
  })

  /** The kids of the file that is changed first. */
  function keys(): string[] {
    const { keys } = JSON.parse(readFileSync(here, 'utf8'))
    return keys.map(({ kid }: { kid: string }) => kid)
  }

  /** Changes the keys of one instance, and of the other after a while. */
  async function everywhere(...command: string[]): Promise<void> {
    await run(...command, here)
    const expected = keys()
    await until(async () => assert.deepEqual(await publishedBy(one?.url ?? ''), expected), PATIENCE)
    await clients.someChecks()
    copyFileSync(here, `${there}.draft`)
    renameSync(`${there}.draft`, there)
    await until(async () => assert.deepEqual(await publishedBy(other?.url ?? ''), expected), PATIENCE)
    await clients.someChecks()
  }
})

/** `auth-service keys …`, as an operator would type it. */
async function run(...args: string[]): Promise<void> {
  const { code, stderr } = await runCli(['keys', ...args])
  assert.equal(code, 0, stderr)
}
