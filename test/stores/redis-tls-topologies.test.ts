import assert from 'node:assert/strict'
import t from 'tap'
import { logIn } from '../helper.js'
import { createRecorder } from '../support/recorder.js'
import {
  createTlsScene,
  heardOnlyTls,
  identify,
  REDIS_PASSWORD,
  refusedAtOnce,
  SENTINEL,
} from '../support/redis-tls.js'
import { startRedis, until } from '../support/servers.js'
import { spawnCli } from '../support/service-process.js'
import { startCluster, startSentinels, startSentinelWithTls } from '../support/topologies.js'

const CLUSTER = { REDIS_MODE: 'cluster' }

const { authority, env, run, serves, showing, tls, urlOf } = await createTlsScene(t)

t.test('sentinels, and whom they name', async (t) => {
  t.test('every byte to either is TLS, also after a failover', async (t) => {
    const recorder = createRecorder(t)
    const redis = await startSentinels({ tls, password: REDIS_PASSWORD, announce: recorder.before })
    t.teardown(() => redis.stop())
    const REDIS_URL = redis.ports.map((port) => urlOf(port)).join()

    const { url } = await serves(t, { REDIS_URL, ...SENTINEL, SESSION_RECOVERY: 'database' })
    const token = await logIn(url)
    await redis.killMaster()
    await until(async () => assert.equal((await identify(url, token)).status, 503))
    await until(async () => assert.equal((await identify(url, token)).status, 200), { withinMs: 30_000 })

    heardOnlyTls(t, recorder)
  })

  t.test(
    '1 at once where the sentinels speak TLS and their master does not; it hears no command',
    async (t) => {
      const recorder = createRecorder(t)
      const master = await startRedis({ args: ['--requirepass', REDIS_PASSWORD] })
      const sentinel = await startSentinelWithTls(tls, 'sessions', await recorder.before(master.port))
      t.teardown(() => Promise.all([sentinel.stop(), master.stop()]))
      const REDIS_URL = urlOf(sentinel.port)

      const exit = await run({ REDIS_URL, ...SENTINEL })

      refusedAtOnce(t, exit, /the server does not speak TLS/)
      t.notMatch(Buffer.concat(recorder.heard()).toString('latin1'), REDIS_PASSWORD)
    },
  )

  t.test('1 at once where the sentinels want a password, and get none', async (t) => {
    const sentinel = await startSentinelWithTls(tls, 'sessions', 1, 'requirepass another')
    t.teardown(() => sentinel.stop())
    const REDIS_URL = urlOf(sentinel.port)

    refusedAtOnce(t, await run({ REDIS_URL, ...SENTINEL }), /NOAUTH/)
  })

  t.test('one that hangs is passed over', async (t) => {
    const redis = await startSentinels()
    t.teardown(() => redis.stop())
    redis.hangSentinel()

    await serves(t, { REDIS_URL: redis.sentinels, ...SENTINEL })
  })
})

t.test('a cluster', async (t) => {
  t.test('every byte to every node is TLS, also to those that no URL names', async (t) => {
    const recorder = createRecorder(t)
    const cluster = await startCluster({
      tls,
      password: REDIS_PASSWORD,
      announce: recorder.before,
    })
    t.teardown(() => cluster.stop())

    await serves(t, { REDIS_URL: urlOf(cluster.ports[0] ?? 0), ...CLUSTER })

    heardOnlyTls(t, recorder)
  })

  t.test('known by name: the certificate is held against the name, not against its address', async (t) => {
    const named = showing(authority.issue('DNS:localhost'))
    const settings = {
      'cluster-announce-hostname': 'localhost',
      'cluster-preferred-endpoint-type': 'hostname',
    }
    const cluster = await startCluster({ tls: named, password: REDIS_PASSWORD, settings })
    t.teardown(() => cluster.stop())
    const at = (host: string) => ({ REDIS_URL: urlOf(cluster.ports[0] ?? 0, { host }), ...CLUSTER })

    await serves(t, at('localhost'))
    refusedAtOnce(t, await run(at('127.0.0.1')), /ERR_TLS_CERT_ALTNAME_INVALID/)
  })

  t.test('1 at once where the nodes name each other by addresses that no certificate has', async (t) => {
    const named = showing(authority.issue('DNS:localhost'))
    const cluster = await startCluster({ tls: named, password: REDIS_PASSWORD })
    t.teardown(() => cluster.stop())
    const REDIS_URL = urlOf(cluster.ports[0] ?? 0, { host: 'localhost' })

    const exit = await run({ REDIS_URL, ...CLUSTER })

    refusedAtOnce(t, exit, /ERR_TLS_CERT_ALTNAME_INVALID/)
  })

  t.test('of a name that nobody knows says so', async (t) => {
    const REDIS_URL = 'redis://nobody.invalid:6379'
    const service = spawnCli(['serve'], { env: { ...env, REDIS_URL, ...CLUSTER } })
    t.teardown(() => service.stop())

    await until(() => assert.match(service.stdout(), /waiting for Redis: [^\n]*nobody\.invalid/))
  })
})
