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

t.test('sentinels and the master that they name', async (t) => {
  t.test('sends only TLS to both, also after a failover', async (t) => {
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
    'exit 1 at once where the sentinels speak TLS and the master does not, which receives no command',
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

  t.test('exit 1 at once where the sentinels require a password and get none', async (t) => {
    const sentinel = await startSentinelWithTls(tls, 'sessions', 1, 'requirepass another')
    t.teardown(() => sentinel.stop())
    const REDIS_URL = urlOf(sentinel.port)

    refusedAtOnce(t, await run({ REDIS_URL, ...SENTINEL }), /NOAUTH/)
  })

  t.test('serves although one sentinel hangs', async (t) => {
    const redis = await startSentinels()
    t.teardown(() => redis.stop())
    redis.hangSentinel()

    await serves(t, { REDIS_URL: redis.sentinels, ...SENTINEL })
  })
})

t.test('a cluster', async (t) => {
  t.test('sends only TLS to every node, also to those that no URL names', async (t) => {
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

  t.test('verifies the certificate of a node that announces a host name by that name', async (t) => {
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

  t.test('exit 1 at once where the nodes announce addresses that no certificate names', async (t) => {
    const named = showing(authority.issue('DNS:localhost'))
    const cluster = await startCluster({ tls: named, password: REDIS_PASSWORD })
    t.teardown(() => cluster.stop())
    const REDIS_URL = urlOf(cluster.ports[0] ?? 0, { host: 'localhost' })

    const exit = await run({ REDIS_URL, ...CLUSTER })

    refusedAtOnce(t, exit, /ERR_TLS_CERT_ALTNAME_INVALID/)
  })

  t.test('logs the host name that does not resolve', async (t) => {
    const REDIS_URL = 'redis://nobody.invalid:6379'
    const service = spawnCli(['serve'], { env: { ...env, REDIS_URL, ...CLUSTER } })
    t.teardown(() => service.stop())

    await until(() => assert.match(service.stdout(), /waiting for Redis: [^\n]*nobody\.invalid/))
  })
})
