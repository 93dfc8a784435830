import assert from 'node:assert'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { environmentOf, startBackends } from '../helper.js'
import { exchange, request } from '../support/raw-http.js'
import { freePort, until } from '../support/servers.js'
import { runCli } from '../support/service-process.js'
import { DUAL_STACK, serveWhereLocalhostIs, startAtBoth } from '../support/several-addresses.js'

/** Callers per address that send requests without a pause while the service stops. */
const CLIENTS = 8

t.test('a host name with two addresses', async (t) => {
  const env = environmentOf(await startBackends(t))

  for (const WEB_CONCURRENCY of ['1', '2']) {
    t.test(`applies the same limits at both addresses, WEB_CONCURRENCY=${WEB_CONCURRENCY}`, async (t) => {
      const service = await startAtBoth(t, { ...env, WEB_CONCURRENCY })

      for (const url of service.urls) {
        t.test(`401 for a second Authorization behind 1,100 other headers, at ${url}`, async (t) => {
          const authorization = 'Authorization: Bearer x'
          const headers = [authorization, ...Array(1100).fill('X:'), authorization]

          const { answers } = await exchange(url, request('GET', '/identify', headers), { answers: 1 })

          t.match(answers, [{ status: 401, text: /"error":"token_missing"/ }])
        })

        t.test(`431 for headers over 8 kB, at ${url}`, async (t) => {
          const bytes = request('GET', '/livez', [`X-Other: ${'x'.repeat(8200)}`])

          const { answers } = await exchange(url, bytes)

          t.match(answers, [{ status: 431, text: /"error":"headers_too_large"/ }])
        })

        t.test(`200 with Keep-Alive: timeout=65, at ${url}`, async (t) => {
          const { answers } = await exchange(url, request('GET', '/livez'), { answers: 1 })

          t.match(answers, [{ status: 200, headers: { 'keep-alive': 'timeout=65' } }])
        })
      }

      t.test('408 within 7 s for no request, half a request and half a body', async (t) => {
        const halfABody = request(
          'POST',
          '/login',
          ['Content-Type: application/json', 'Content-Length: 9'],
          '{',
        )
        const slow = service.urls.flatMap((url) =>
          ['', 'GET /', halfABody].map((bytes) => exchange(url, bytes)),
        )

        for (const { answers, afterMs } of await Promise.all(slow)) {
          t.match(answers, [{ status: 408, text: /"error":"request_timeout"/ }])
          t.ok(afterMs < 7000, `after ${afterMs} ms`)
        }
      })
    })

    t.test(`SIGTERM cuts no request at either address, WEB_CONCURRENCY=${WEB_CONCURRENCY}`, async (t) => {
      const service = await startAtBoth(t, { ...env, WEB_CONCURRENCY })
      const clients = service.urls.flatMap((url) =>
        Array.from({ length: CLIENTS }, () => askUntilRefused(url)),
      )
      // In flight from before SIGTERM until neither address accepts connections any more.
      const verifications = await Promise.all(service.urls.map(beginVerify))

      const stopped = service.stop('SIGTERM')

      t.strictSame(await Promise.all(clients), Array(clients.length).fill(503))
      for (const url of service.urls) await until(() => assert.rejects(fetch(`${url}/livez`)))
      for (const { finish } of verifications) t.match(await finish(), /^HTTP\/1\.1 401 /)
      const { code, stderr } = await stopped
      t.equal(code, 0, stderr)
    })
  }

  t.test('exit 0 after SIGTERM, without waiting for connections that never sent anything', async (t) => {
    const service = await startAtBoth(t, { ...env, SHUTDOWN_SECONDS: '1' })
    const silent = service.urls.map(open)
    await Promise.all(silent.map((socket) => once(socket, 'connect')))
    const ended = silent.map((socket) => text(socket))

    const { code, stderr } = await service.stop('SIGTERM')

    t.equal(code, 0, stderr)
    t.strictSame(await Promise.all(ended), ['', ''])
  })

  t.test('listens at the one address of three that the machine has', async (t) => {
    const port = await freePort()
    const service = serveWhereLocalhostIs(['198.51.100.1', '127.0.0.1', '198.51.100.2'], {
      ...env,
      PORT: String(port),
    })
    t.teardown(() => service.stop())

    const { status } = await until(() => fetch(`http://127.0.0.1:${port}/livez`), { withinMs: 70_000 })

    t.equal(status, 200)
    t.match(service.stdout(), `listening at http://127.0.0.1:${port}"`)
  })

  t.test('exit 1 where the machine has none of the addresses, or the name does not resolve', async (t) => {
    const exits = await Promise.all([
      serveWhereLocalhostIs(['198.51.100.1', '198.51.100.2'], { ...env, PORT: '0' }).exited,
      runCli(['serve'], { ...env, HOST: 'nowhere.invalid', PORT: '0' }),
    ])

    for (const { code, stderr } of exits) {
      t.equal(code, 1)
      t.match(stderr, /HOST: (localhost|nowhere\.invalid) is not an address of this machine/)
    }
  })

  t.test('exit 1 where the port is in use at one of the addresses', async (t) => {
    const occupant = createServer().listen(0, '127.0.0.1')
    await once(occupant, 'listening')
    t.teardown(() => occupant.close())
    const { port } = occupant.address() as AddressInfo

    const { code, stderr } = await serveWhereLocalhostIs(DUAL_STACK, { ...env, PORT: String(port) }).exited

    t.equal(code, 1)
    t.match(stderr, `port ${port} on localhost is in use`)
  })
})

/**
 * Repeats a request on one connection, and resolves to the first status that is not 200.
 * @throws where a request is cut
 */
async function askUntilRefused(url: string): Promise<number | undefined> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (;;) {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        httpRequest(`${url}/livez`, { agent }, resolve).on('error', reject).end()
      })
      await text(answer)
      if (answer.statusCode !== 200) return answer.statusCode
    }
  } finally {
    agent.destroy()
  }
}

/** Sends a request without the end of its body. */
async function beginVerify(url: string) {
  const body = '{"token":"x"}'
  const socket = open(url)
  const received = text(socket)
  socket.write(
    request('POST', '/verify', [
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      'Connection: close',
    ]),
  )
  socket.write(body.slice(0, 5))
  await exchange(url, request('GET', '/livez'), { answers: 1 })
  return {
    finish() {
      socket.write(body.slice(5))
      return received
    },
  }
}

function open(url: string) {
  const { hostname, port } = new URL(url)
  return connect({ port: Number(port), host: hostname.replace(/^\[|\]$/g, '') })
}
