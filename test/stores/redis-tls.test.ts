import assert from 'node:assert/strict'
import { connect } from 'node:net'
import t from 'tap'
import { type Certificate, createAuthority } from '../support/certificates.js'
import { createRecorder, isNothingButTls } from '../support/recorder.js'
import {
  createTlsScene,
  HERE,
  heardNoCommand,
  heardOnlyTls,
  REDIS_PASSWORD,
  refusedAtOnce,
  SENTINEL,
} from '../support/redis-tls.js'
import { startRedis, until } from '../support/servers.js'
import { spawnCli } from '../support/service-process.js'
import { tcpStandIn } from '../support/stand-in.js'
import { startRedisWithTls } from '../support/topologies.js'

const { authority, env, run, serves, showing, tls, urlOf } = await createTlsScene(t)
const stranger = createAuthority()

/** A record of application data that cannot be decrypted. */
const NOISE = Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32)])

t.test('sends only TLS to rediss://, in upper or lower case', async (t) => {
  const server = await startRedisWithTls(tls, { requirepass: REDIS_PASSWORD })
  t.teardown(() => server.stop())

  for (const options of [{}, { scheme: 'REDISS', path: '/3' }]) {
    const recorder = createRecorder(t)

    await serves(t, { REDIS_URL: urlOf(await recorder.before(server.port), options) })

    heardOnlyTls(t, recorder)
  }
})

t.test('trusts the authorities of NODE_EXTRA_CA_CERTS', async (t) => {
  const server = await startRedisWithTls(tls)
  t.teardown(() => server.stop())
  const REDIS_URL = `rediss://127.0.0.1:${server.port}`

  await serves(t, { REDIS_URL, NODE_EXTRA_CA_CERTS: authority.certificate })
})

t.test('the recorder hears the password where redis:// is used', async (t) => {
  const server = await startRedis({ args: ['--requirepass', REDIS_PASSWORD] })
  t.teardown(() => server.stop())
  const recorder = createRecorder(t)

  await serves(t, { REDIS_URL: `redis://:${REDIS_PASSWORD}@127.0.0.1:${await recorder.before(server.port)}` })

  t.notOk(recorder.heard().every(isNothingButTls))
  t.match(Buffer.concat(recorder.heard()).toString('latin1'), REDIS_PASSWORD)
})

t.test('serves with a client certificate where Redis requires one, exit 1 without', async (t) => {
  const server = await startRedisWithTls(tls, { requirepass: REDIS_PASSWORD, 'tls-auth-clients': 'yes' })
  t.teardown(() => server.stop())
  const { certificate, key } = authority.issue('DNS:client')
  const REDIS_URL = urlOf(server.port)

  await serves(t, { REDIS_URL: `${REDIS_URL}&sslcert=${certificate}&sslkey=${key}` })
  refusedAtOnce(t, await run({ REDIS_URL }), /certificate required/)
})

t.test('exit 1 at once with one line where the server cannot be trusted', async (t) => {
  const cases: Record<string, [Certificate, RegExp]> = {
    'its authority is not trusted': [stranger.issue(HERE), /UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
    'its certificate has expired': [authority.issue(HERE, -1), /CERT_HAS_EXPIRED/],
    'its certificate is of another name': [authority.issue('DNS:redis.test'), /ERR_TLS_CERT_ALTNAME_INVALID/],
  }

  for (const [what, [certificate, why]] of Object.entries(cases)) {
    t.test(`${what}: single server, cluster node, sentinel`, async (t) => {
      // One server stands for all three: it is not asked for its role before it is trusted.
      const server = await startRedisWithTls(showing(certificate))
      t.teardown(() => server.stop())
      const REDIS_URL = urlOf(server.port)

      const exits = await Promise.all(
        [{}, { REDIS_MODE: 'cluster' }, SENTINEL].map((mode) => run({ REDIS_URL, ...mode })),
      )

      for (const exit of exits) refusedAtOnce(t, exit, why)
    })
  }

  t.test('its certificate has expired, and an attacker on the way adds noise to it', async (t) => {
    const server = await startRedisWithTls(showing(authority.issue(HERE, -1)))
    t.teardown(() => server.stop())
    const { url } = await tcpStandIn(t, (near) => {
      const far = connect(server.port, '127.0.0.1').on('error', () => undefined)
      near.pipe(far)
      far.on('data', (bytes) => near.write(Buffer.concat([bytes, NOISE])))
      near.on('close', () => far.destroy())
    })
    const REDIS_URL = urlOf(Number(new URL(url).port))

    const exits = await Promise.all(
      [{}, { REDIS_MODE: 'cluster' }, SENTINEL].map((mode) => run({ REDIS_URL, ...mode })),
    )

    for (const exit of exits) refusedAtOnce(t, exit, /CERT_HAS_EXPIRED/)
  })

  t.test(
    'it does not speak TLS, and receives no command: single server, cluster node, sentinel',
    async (t) => {
      const server = await startRedis({ args: ['--requirepass', REDIS_PASSWORD] })
      t.teardown(() => server.stop())
      const recorder = createRecorder(t)
      const REDIS_URL = urlOf(await recorder.before(server.port))

      const exits = await Promise.all(
        [{}, { REDIS_MODE: 'cluster' }, SENTINEL].map((mode) => run({ REDIS_URL, ...mode })),
      )

      for (const exit of exits) refusedAtOnce(t, exit, /the server does not speak TLS/)
      heardNoCommand(t, recorder)
    },
  )
})

t.test('waits for a server that hangs', async (t) => {
  const server = await startRedisWithTls(tls, { requirepass: REDIS_PASSWORD })
  t.teardown(() => server.stop())
  server.process.kill('SIGSTOP')
  const service = spawnCli(['serve'], { env: { ...env, REDIS_URL: urlOf(server.port) } })
  t.teardown(() => service.stop())
  await until(() => assert.match(service.stdout(), /waiting for Redis.*waiting for Redis/s))

  server.process.kill('SIGCONT')

  await until(() => assert.match(service.stdout(), /listening at/))
})

t.test('logs every second that it waits, for redis:// where the server speaks only TLS', async (t) => {
  const server = await startRedisWithTls(tls)
  t.teardown(() => server.stop())
  const REDIS_URL = `redis://127.0.0.1:${server.port}`

  const services = [{}, { REDIS_MODE: 'cluster' }, SENTINEL].map((mode) =>
    spawnCli(['serve'], { env: { ...env, REDIS_URL, ...mode } }),
  )

  for (const service of services) {
    await until(() => assert.match(service.stdout(), /waiting for Redis.*waiting for Redis/s))
    await service.stop()
  }
})
