import t from 'tap'
import { startPlatform } from '../support/gateways/platform.js'
import { checkReplay, only, type Received, readExample, type Subrequest } from '../support/gateways/replay.js'

/** What Traefik 3 and Go's HTTP client add to a sub-request (pkg/middlewares/auth/forward.go). */
function forwarded({ method, path, headers }: Received) {
  return {
    'User-Agent': 'Go-http-client/1.1',
    ...headers,
    'X-Forwarded-For': '192.0.2.1',
    'X-Forwarded-Method': method,
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Host': 'gateway.test',
    'X-Forwarded-Uri': path,
    'Accept-Encoding': 'gzip',
  }
}

const { identify } = readExample('traefik/dynamic.yaml').http.middlewares
const { address, authRequestHeaders, authResponseHeadersRegex } = identify.forwardAuth

t.test('Traefik with examples/traefik, replayed', async (t) => {
  t.equal(address, 'http://127.0.0.1:3000/identify')

  await checkReplay(t, await startPlatform(t), (received) => ({
    method: 'GET',
    path: new URL(address).pathname,
    headers: forwarded({ ...received, headers: only(received.headers, authRequestHeaders) }),
  }))
})

t.test('Traefik without a list of headers, which sends all of them', async (t) => {
  await checkReplay(t, await startPlatform(t), (received) => ({
    method: 'GET',
    path: '/identify',
    headers: forwarded(received),
  }))
})

t.test('Traefik with preserveRequestMethod and forwardBody', async (t) => {
  await checkReplay(t, await startPlatform(t), (received): Subrequest => {
    const body = received.method === 'POST' ? '{"broken":' : ''
    const chunked = body ? { 'Transfer-Encoding': 'chunked' } : {}
    return {
      method: received.method,
      path: '/identify',
      headers: { ...forwarded(received), ...chunked },
      body,
    }
  })
})

t.test('the example removes and copies the identity headers in every spelling', async (t) => {
  const pattern = new RegExp(authResponseHeadersRegex.replace('(?i)', ''), 'i')
  const spellings = ['X-User-Id', 'X-User_id', 'X_user-Id', 'X_user_id']

  for (const name of [...spellings, ...spellings.map((name) => name.replace(/user/i, 'Session'))]) {
    t.match(name, pattern)
  }
  for (const name of ['X-User-Id-2', 'A-X-User-Id', 'Cache-Control', 'Content-Type'])
    t.notMatch(name, pattern)
})
