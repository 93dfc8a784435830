import { METHODS } from 'node:http'
import t from 'tap'
import { build } from '../helper.js'
import { flawsOf } from '../support/envelope.js'
import { exchange, request } from '../support/raw-http.js'

t.test('/identify on the wire', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const token = await service.login()
  const bearer = `Authorization: Bearer ${token}`
  const next = request('GET', '/livez')

  /** The first answer, and the status of what follows on the same connection. */
  async function ask(bytes: string) {
    const { answers } = await exchange(service.url, bytes + next, { answers: 2, waitMs: 3000 })
    return { first: answers[0] ?? { status: 0, headers: {}, text: '' }, second: answers[1]?.status }
  }

  for (const method of METHODS.filter((name) => !['TRACE', 'CONNECT', 'HEAD'].includes(name))) {
    t.test(`200 for ${method} with a body of 1 MB and a live token, 401 without a token`, async (t) => {
      const body = 'x'.repeat(1_000_000)

      const known = await ask(request(method, '/identify/a/b?c=d', [bearer, 'Content-Type: video/mp4'], body))
      const unknown = await ask(request(method, '/identify', ['Content-Type: application/json'], body))

      t.strictSame(flawsOf(known.first, { statuses: [200] }), [])
      t.equal(known.first.headers['x-user-id'], String(userId))
      t.strictSame(flawsOf(unknown.first, { statuses: [401] }), [])
      t.strictSame([known.second, unknown.second], [200, 200], 'and the connection goes on')
    })
  }

  t.test('200 whatever the headers say of the body', async (t) => {
    const odd = [
      ['Content-Type: ;;;', 'Content-Length: 3'],
      ['Content-Type: application/json', 'Content-Length: 3'],
      ['Content-Type: application/json'],
      ['Content-Type: application/json', 'Content-Length: 0'],
      ['Content-Type:', 'Content-Length: 3'],
      ['Content-Length: 3'],
      ['Content-Type: a/b', 'Content-Type: c/d', 'Content-Length: 3'],
      ['Content-Type: application/json; charset=\xff', 'Content-Length: 3'],
      ['Content-Type: multipart/form-data', 'Content-Encoding: br', 'Content-Length: 3'],
      ['Content-Type: application/json', 'Transfer-Encoding: chunked'],
    ]

    for (const headers of odd) {
      const body = headers.includes('Transfer-Encoding: chunked') ? '3\r\nabc\r\n0\r\n\r\n' : ''
      const rest = headers.includes('Content-Length: 3') ? 'abc' : body
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
        const { first, second } = await ask(request(method, '/identify', [bearer, ...headers], rest))
        t.strictSame([first.status, second], [200, 200], `${method} ${headers.join(', ')}`)
      }
    }
  })

  t.test('200 before an announced body, which never arrives', async (t) => {
    const announced = request('POST', '/identify', [bearer, 'Content-Length: 1000000000'])
    const { answers, afterMs } = await exchange(service.url, announced, { answers: 1 })

    t.equal(answers[0]?.status, 200)
    t.ok(afterMs < 1000)
  })

  t.test('200 for HEAD with the headers of GET and no body, 401 without a token', async (t) => {
    const known = request('HEAD', '/identify', [bearer])
    const unknown = request('HEAD', '/identify/a')
    const { answers } = await exchange(service.url, known + unknown, { answers: 2, head: true })

    t.strictSame(
      answers.map(({ status }) => status),
      [200, 401],
    )
    t.equal(answers[0]?.headers['x-user-id'], String(userId))
    t.equal(answers[1]?.headers['www-authenticate'], 'Bearer realm="auth"')
  })

  t.test('200 for any path below /identify, also malformed ones', async (t) => {
    const paths = [
      '/',
      '//',
      '/%',
      '/%zz',
      '/%E0%A4%A',
      '/%00',
      '/%2e%2e/login',
      '/../login',
      '/..',
      '/.',
      '/;a=b',
    ]
    paths.push(
      '/#a',
      '/?',
      '/??',
      '/\\',
      '/{}',
      '/%2F',
      '/*',
      '/:id',
      '/__proto__',
      '/login',
      `/${'x'.repeat(7000)}`,
    )

    for (const path of paths) {
      const known = await ask(request('GET', `/identify${path}`, [bearer]))
      const unknown = await ask(request('GET', `/identify${path}`))
      t.equal(known.first.status, 200, path.slice(0, 40))
      t.equal(unknown.first.status, 401, path.slice(0, 40))
    }
  })

  t.test('200 for a query of any form, which is never read', async (t) => {
    const known = await ask(request('GET', `/identify?%zz&token=x&token=y`, [bearer]))
    const inQuery = await ask(request('GET', `/identify?token=${token}&access_token=${token}`))

    t.equal(known.first.status, 200)
    t.strictSame(flawsOf(inQuery.first, { statuses: [401] }), [])
  })

  t.test('200 for a request target in absolute form (RFC 9112 §3.2.2)', async (t) => {
    const exact = await ask(request('GET', 'http://auth.test/identify', [bearer]))
    const below = await ask(request('GET', 'http://auth.test/identify/a', [bearer]))

    t.equal(exact.first.status, 200)
    t.equal(below.first.status, 200)
  })

  t.test('417 from Node.js for an unknown expectation, without identity headers', async (t) => {
    const { first } = await ask(request('GET', '/identify', [bearer, 'Expect: something']))

    t.equal(first?.status, 417)
    t.notOk(first?.headers['x-user-id'])
  })

  t.test('404 for paths that only resemble /identify', async (t) => {
    for (const path of [
      '/identifyx',
      '/identify%2fx',
      '/identify;a',
      '//identify',
      '/IDENTIFY',
      '/x/identify',
    ]) {
      const { first } = await ask(request('GET', path, [bearer]))
      t.strictSame(flawsOf(first, { statuses: [404] }), [], path)
    }
  })

  t.test('404 for TRACE, and no answer at all for CONNECT', async (t) => {
    const trace = await ask(request('TRACE', '/identify', [bearer]))
    const connect = await exchange(service.url, request('CONNECT', '/identify', [bearer]))

    t.strictSame(flawsOf(trace.first, { statuses: [404] }), [])
    t.strictSame(connect.answers, [])
    t.ok(connect.closed)
  })

  t.test('401 token_missing for anything but exactly one token', async (t) => {
    const filler = Array(2000).fill('X:')
    const odd: Record<string, string[]> = {
      'two headers': [bearer, bearer],
      'two headers, one of them foreign': ['Authorization: Basic eDp5', bearer],
      'two headers, one of them empty': ['Authorization:', bearer],
      'two headers, in other letters': [bearer, bearer.toLowerCase().replace(token.toLowerCase(), token)],
      'two headers far apart': [bearer, ...filler, bearer],
      'a list': [`${bearer}, Bearer ${token}`],
      'a list without space': [`${bearer},Bearer ${token}`],
      'two tokens': [`${bearer} ${token}`],
      'no scheme': [`Authorization: ${token}`],
      'another scheme': [`Authorization: Basic ${token}`],
      'a scheme without token': ['Authorization: Bearer'],
      'no space': [`Authorization: Bearer${token}`],
      quotes: [`Authorization: Bearer "${token}"x, y`],
      'a parameter': [`Authorization: Bearer token=${token}, x=y`],
      'other headers': [
        `X-Authorization: Bearer ${token}`,
        `Proxy-Authorization: Bearer ${token}`,
        `Cookie: token=${token}`,
      ],
      nothing: [],
    }

    for (const [name, headers] of Object.entries(odd)) {
      const { first } = await ask(request('GET', '/identify', headers))
      t.strictSame(flawsOf(first, { statuses: [401] }), [], name)
      t.match(first.text, '"token_missing"', name)
      t.equal(first.headers['www-authenticate'], 'Bearer realm="auth"', name)
    }
  })

  t.test('401 for a token in a trailer', async (t) => {
    const chunked = request('POST', '/identify', ['Transfer-Encoding: chunked', 'Trailer: Authorization'])
    const { first } = await ask(`${chunked}0\r\n${bearer}\r\n\r\n`)

    t.equal(first.status, 401)
  })
})
