import assert from 'node:assert'
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier } from '@auth-service/client'
import t from 'tap'
import { environmentOf, logIn, startBackends, userInserter } from '../helper.js'
import { answerJson, LIVE, TOKEN, timed, verifierFor } from '../support/client.js'
import { freePort, until } from '../support/servers.js'
import { startService } from '../support/service-process.js'
import { standIn, tcpStandIn } from '../support/stand-in.js'

t.test('ServiceUnavailable where nothing listens', async (t) => {
  const { verify } = verifierFor(t, { url: `http://127.0.0.1:${await freePort()}` })

  await t.rejects(verify(TOKEN), { name: 'ServiceUnavailable', retryAfter: 1, reason: /ECONNREFUSED/ })
})

t.test('the service accepts and never answers', async (t) => {
  t.test('ends each call at its own timeout, and closes its connection', async (t) => {
    const { url, traffic } = await tcpStandIn(t, (socket) => void socket.resume())
    const { verify } = verifierFor(t, { url, timeoutMs: 2000 })

    const first = timed(verify(TOKEN))
    await until(() => assert.equal(traffic.connections, 1))
    await sleep(1000)
    // Queued behind the first call, whose request ends only after half of this call's time.
    const second = timed(verify(TOKEN))

    for (const { error, ms } of await Promise.all([first, second])) {
      t.match(error, { name: 'ServiceUnavailable', reason: /no answer within 2000 ms/ })
      t.ok(ms > 1950 && ms < 2900, `after ${ms} ms`)
    }
    await until(() => assert.equal(traffic.open, 0))
  })

  t.test('ends a call after a second without timeoutMs', async (t) => {
    const { url } = await tcpStandIn(t, (socket) => void socket.resume())
    const { verify } = createVerifier({ url })

    const { error, ms } = await timed(verify(TOKEN))

    t.match(error, { name: 'ServiceUnavailable' })
    t.ok(ms > 950 && ms < 5000, `after ${ms} ms`)
  })

  t.test('ends more calls than there are connections in time', async (t) => {
    const { url, traffic } = await tcpStandIn(t, (socket) => void socket.resume())
    const { verify } = verifierFor(t, { url, timeoutMs: 1000 })

    const calls = Array.from({ length: 150 }, (_, index) => timed(verify(`${TOKEN}${index}`)))

    for (const { error, ms } of await Promise.all(calls)) {
      t.equal(error?.name, 'ServiceUnavailable')
      t.ok(ms < 5000, `after ${ms} ms`)
    }
    t.ok(traffic.connections >= 100 && traffic.connections <= 150)
  })
})

t.test('ServiceUnavailable in time for an answer that comes byte by byte', async (t) => {
  const { url } = await standIn(t, async (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    while (!response.destroyed) {
      response.write(' ')
      await sleep(20)
    }
  })
  const { verify } = verifierFor(t, { url, timeoutMs: 300 })

  const { error, ms } = await timed(verify(TOKEN))

  t.match(error, { name: 'ServiceUnavailable', reason: /no answer within 300 ms/ })
  t.ok(ms < 3000, `after ${ms} ms`)
})

t.test('a connection that the service closes just as it is used again', async (t) => {
  t.test('asks again on a new connection', async (t) => {
    const { url, traffic } = await standIn(t, firstOfEachConnection())
    const { verify } = verifierFor(t, { url })

    for (let time = 0; time < 3; time++) t.ok(await verify(TOKEN))

    t.equal(traffic.connections, 3)
  })

  t.test('ServiceUnavailable where a new connection is closed as well', async (t) => {
    const { url, traffic } = await standIn(t, (request) => void request.socket.destroy())
    const { verify } = verifierFor(t, { url })

    await t.rejects(verify(TOKEN), { name: 'ServiceUnavailable', reason: /ECONNRESET/ })

    t.equal(traffic.requests, 1)
  })
})

t.test('ServiceUnavailable while the service is stopped, a session once it is started again', async (t) => {
  const backends = await startBackends(t)
  await userInserter(backends.sql)()
  const env = {
    ...environmentOf(backends),
    PORT: String(await freePort()),
  }
  const first = await startService(t, { env })
  const token = await logIn(first.url)
  const { verify } = verifierFor(t, { url: first.url })
  t.ok(await until(() => verify(token)))

  await first.stop('SIGTERM')
  await t.rejects(verify(token), { name: 'ServiceUnavailable' })
  await startService(t, { env })
  t.ok(await until(() => verify(token)), 'without the connections of before')
})

/** Answers the first request of each connection, and closes it at the second. */
function firstOfEachConnection(): RequestListener {
  const used = new Set<Socket>()
  return ({ socket }, response) => {
    if (used.has(socket)) socket.destroy()
    else answerJson(response, 200, LIVE)
    used.add(socket)
  }
}
