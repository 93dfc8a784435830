import assert from 'node:assert'
import t from 'tap'
import { newKey } from '../../src/tokens/keys/new-key.js'
import { secretKey } from '../../src/tokens/keys/signing-key.js'
import { keylessEnvironmentOf, SECRET, startBackends } from '../helper.js'
import { startClients } from '../support/live-clients.js'
import { freePort } from '../support/servers.js'
import { type ServiceProcess, startService } from '../support/service-process.js'
import { keyFile } from '../support/signing-keys.js'

const NEXT_SECRET = SECRET.replace('kXp', 'pXk')

t.test('one instance after the other restarts with other keys, while users log in and check', async (t) => {
  const backends = await startBackends(t)
  const ports = [await freePort(), await freePort()]
  const running = new Map<number, ServiceProcess>()
  for (const port of ports) running.set(port, await start(port, { JWT_SECRET: SECRET }))
  const clients = await startClients(
    t,
    backends,
    ports.map((port) => `http://127.0.0.1:${port}`),
  )

  t.test('refuses no token where one secret replaces another', async (t) => {
    await restartAll({ JWT_SECRET: SECRET, JWT_PREVIOUS_SECRETS: NEXT_SECRET })
    await restartAll({ JWT_SECRET: NEXT_SECRET, JWT_PREVIOUS_SECRETS: SECRET })
    await clients.allHave(secretKey(NEXT_SECRET).id)

    t.strictSame(clients.counted().refused, [])
  })

  t.test('refuses no token where a key pair replaces the secret', async (t) => {
    const standby = newKey('EdDSA', { standby: true })
    const { key_ops: _, ...pair } = standby
    const file = keyFile(standby)
    await restartAll({ JWT_SECRET: NEXT_SECRET, JWT_KEYS_FILE: file.path })
    t.equal(clients.algorithm(), 'HS256')
    file.replace(pair)
    await clients.allHave(`${pair.kid}`)
    await restartAll({ JWT_KEYS_FILE: file.path })

    const { logins, checks, refused } = clients.counted()
    t.comment(`${logins} logins and ${checks} checks, ${refused.length} refused`)
    t.strictSame(refused, [])
    t.ok(checks > 150)
  })

  async function restartAll(keys: NodeJS.ProcessEnv): Promise<void> {
    for (const port of ports) {
      const ended = await running.get(port)?.stop()
      assert.equal(ended?.code, 0, ended?.stderr)
      running.set(port, await start(port, keys))
      await clients.someChecks()
    }
  }

  function start(port: number, keys: NodeJS.ProcessEnv): Promise<ServiceProcess> {
    const env = { ...keylessEnvironmentOf(backends), SHUTDOWN_SECONDS: '2', PORT: String(port), ...keys }
    return startService(t, { env })
  }
})
