import assert from 'node:assert'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import t from 'tap'
import { build, environmentOf, PASSWORD, send, startBackends, userInserter } from '../helper.js'
import { type Exchange, exchange } from '../support/raw-http.js'
import { until } from '../support/servers.js'
import { startService } from '../support/service-process.js'

const MOBILES = [1, 2, 3, 4].map((last) => `+861380013800${last}`)

t.test('SIGTERM', async (t) => {
  const backends = await startBackends(t)
  for (const mobile of MOBILES) await userInserter(backends.sql)({ mobile })
  const redis = new Redis(backends.redis.url)
  redis.on('error', () => undefined)
  t.teardown(() => redis.disconnect())

  t.test('200 for requests in flight, 503 with Connection: close for new ones, then exit 0', async (t) => {
    const service = await startService(t, { env: environmentOf(backends) })
    const keptAlive = connect(service.port, '127.0.0.1')
    const received = text(keptAlive)
    // Half a request keeps the connection busy across the signal.
    keptAlive.write('GET /livez HTTP/1.1\r\nhost: x\r\n')
    const logins = MOBILES.map((mobile) =>
      send(service.url, 'POST', '/login', { body: { mobile, password: PASSWORD } }),
    )
    // Each has begun once its first write is in Redis.
    await until(async () => assert.equal((await redis.keys('jwt_token:[1-9]*')).length, MOBILES.length))

    const started = performance.now()
    const stopped = service.stop('SIGTERM')
    await until(() => assert.match(service.stdout(), /SIGTERM: closing/))
    keptAlive.write('\r\n')

    const answers = await Promise.allSettled(logins)
    for (const answer of answers) t.equal(answer.status === 'fulfilled' && answer.value.status, 200)
    const refused = await received
    t.match(refused, /^HTTP\/1\.1 503 /)
    t.match(refused, /connection: close/i)
    t.match(refused, /"error":"temporarily_unavailable"/)
    t.equal((await stopped).code, 0)
    t.ok(performance.now() - started < 10_000)
  })

  t.test('503 for connections that arrive just as the service stops listening', async (t) => {
    const { app, url } = await build(t, { backends })
    const { server } = app
    const request = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'
    let exchanges: Promise<Exchange>[] = []
    // The service counts connections last, right before it stops listening.
    const getConnections = server.getConnections.bind(server)
    server.getConnections = (callback) => {
      exchanges = Array.from({ length: 20 }, () => exchange(url, request))
      server.getConnections = getConnections
      return getConnections(callback)
    }

    await app.close()

    const answers = (await Promise.all(exchanges)).flatMap(({ answers }) => answers)
    t.strictSame(
      answers.map(({ status }) => status),
      new Array(20).fill(503),
    )
  })

  t.test('exit 0 after a short SHUTDOWN_SECONDS, although a connection is idle', async (t) => {
    const service = await startService(t, { env: { ...environmentOf(backends), SHUTDOWN_SECONDS: '1' } })
    const idle = connect(service.port, '127.0.0.1').resume()
    idle.on('error', () => undefined)
    idle.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(idle, 'data')

    const { code, stderr } = await service.stop('SIGTERM')

    t.equal(code, 0, stderr)
    idle.destroy()
  })

  t.test('exit 0 within 10 s while Redis hangs or is away', async (t) => {
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
      const service = await startService(t, { env: environmentOf(backends) })
      backends.redis.process.kill(signal)

      const started = performance.now()
      const { code, stderr } = await service.stop('SIGTERM')

      t.equal(code, 0, stderr)
      t.ok(performance.now() - started < 10_000)
      backends.redis.process.kill('SIGCONT')
    }
  })
})
