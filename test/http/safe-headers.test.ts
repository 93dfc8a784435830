import t, { type Test } from 'tap'
import { build } from '../helper.js'
import { exchange, type RawAnswer, request } from '../support/raw-http.js'

const TLS = 'X-Forwarded-Proto: https'

t.test('security headers', async (t) => {
  const service = await build(t, { env: { TRUST_PROXY: '127.0.0.1' } })
  await service.addUser()
  const bearer = `Authorization: Bearer ${await service.login()}`
  const minimal = 'Prefer: return=minimal'
  const json = 'Content-Type: application/json'

  /** Every kind of answer: its status, and a request for it. */
  const kinds: Record<string, [status: number, bytes: (...headers: string[]) => string]> = {
    'a route': [200, (...headers) => request('GET', '/livez', headers)],
    'the front page': [200, (...headers) => request('GET', '/', headers)],
    'a route, for HEAD': [200, (...headers) => request('HEAD', '/livez', headers)],
    '/identify': [200, (...headers) => request('GET', '/identify', [bearer, ...headers])],
    '/identify with another method': [
      200,
      (...headers) => request('POST', '/identify', [bearer, ...headers]),
    ],
    '/identify with Prefer: return=minimal': [
      204,
      (...headers) => request('GET', '/identify', [bearer, minimal, ...headers]),
    ],
    'a refusal': [401, (...headers) => request('GET', '/identify', headers)],
    'a refusal in the form of OAuth': [401, (...headers) => request('POST', '/introspect', headers)],
    'a malformed body': [400, (...headers) => request('POST', '/login', [json, ...headers], 'not JSON')],
    'a body too large': [
      413,
      (...headers) => request('POST', '/login', [json, ...headers], ' '.repeat(5000)),
    ],
    'an unknown path': [404, (...headers) => request('GET', '/nowhere', headers)],
    'another method of a path': [405, (...headers) => request('DELETE', '/livez', headers)],
    'a malformed path': [400, (...headers) => request('GET', '/%zz', headers)],
    'an unknown expectation': [417, (...headers) => request('GET', '/livez', ['Expect: x', ...headers])],
    'no Host': [400, (...headers) => ['GET /livez HTTP/1.1', ...headers, '', ''].join('\r\n')],
    'the redirect to Swagger UI': [302, (...headers) => request('GET', '/docs', headers)],
    'Swagger UI': [200, (...headers) => request('GET', '/docs/', headers)],
    'a file of Swagger UI': [200, (...headers) => request('GET', '/docs/static/index.css', headers)],
    'the OpenAPI document': [200, (...headers) => request('GET', '/docs/json', headers)],
    'the OpenAPI document as YAML': [200, (...headers) => request('GET', '/docs/yaml', headers)],
  }
  /** Refusals on the bare socket, for which X-Forwarded-Proto has not been read. */
  const broken: Record<string, [status: number, bytes: string]> = {
    'bytes that are not HTTP': [400, 'hello\r\n\r\n'],
    'headers too large': [431, request('GET', '/livez', [TLS, `X-Other: ${'x'.repeat(9000)}`])],
    'half a request': [408, 'GET /livez HT'],
  }

  for (const [name, [status, bytes]] of Object.entries(kinds)) {
    t.test(`${status} with nosniff and no-referrer: ${name}`, async (t) => {
      const answer = await ask(bytes('Connection: close'))

      isSafe(t, answer, status)
      t.notOk(answer?.headers['strict-transport-security'])
    })

    t.test(`${status} with Strict-Transport-Security over TLS: ${name}`, async (t) => {
      const answer = await ask(bytes(TLS, 'Connection: close'))

      isSafe(t, answer, status)
      t.match(answer?.headers['strict-transport-security'], /^max-age=\d{8}$/)
    })
  }

  for (const [name, [status, bytes]] of Object.entries(broken)) {
    t.test(`${status} with nosniff and no-referrer on the bare socket: ${name}`, async (t) => {
      const answer = await ask(bytes)

      isSafe(t, answer, status)
      t.notOk(answer?.headers['strict-transport-security'])
    })
  }

  t.test('Strict-Transport-Security only where the last X-Forwarded-Proto is https', async (t) => {
    for (const [value, isTls] of [
      ['http', false],
      ['https, http', false],
      ['http, https', true],
      ['HTTPS', true],
      ['https2', false],
      ['xhttps', false],
      ['', false],
    ] as const) {
      const answer = await ask(request('GET', '/livez', [`X-Forwarded-Proto: ${value}`, 'Connection: close']))

      t.equal('strict-transport-security' in (answer?.headers ?? {}), isTls, value)
    }
  })

  t.test('200 without Strict-Transport-Security from a peer that is no trusted proxy', async (t) => {
    const { answers } = await exchange(service.url, request('GET', '/livez', [TLS, 'Connection: close']), {
      localAddress: '127.0.0.2',
    })

    isSafe(t, answers[0], 200)
    t.notOk(answers[0]?.headers['strict-transport-security'])
  })

  t.test('200 from /docs with a policy that allows no foreign content and no forms', async (t) => {
    for (const path of ['/docs/', '/docs/static/index.css', '/docs/json']) {
      const { headers } = await service.call('GET', path)

      t.match(headers.get('content-security-policy'), /default-src 'self';.*form-action 'none';/, path)
    }
  })

  async function ask(bytes: string): Promise<RawAnswer | undefined> {
    const { answers } = await exchange(service.url, bytes, { answers: 1, head: bytes.startsWith('HEAD') })
    return answers[0]
  }
})

function isSafe(t: Test, answer: RawAnswer | undefined, status: number): void {
  t.equal(answer?.status, status)
  t.equal(answer?.headers['x-content-type-options'], 'nosniff')
  t.equal(answer?.headers['referrer-policy'], 'no-referrer')
}
