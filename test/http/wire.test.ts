import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { build } from '../helper.js'
import { flawsOf } from '../support/envelope.js'
import { type Exchange, exchange, request } from '../support/raw-http.js'

const JSON_TYPE = 'Content-Type: application/json'
const CHUNKED = 'Transfer-Encoding: chunked'

t.test('on the wire', async (t) => {
  const service = await build(t)
  const next = request('GET', '/livez')

  /** The flaws of a refusal that must be the last answer before the connection closes. */
  function flawsOfLastAnswer({ answers, closed }: Exchange, statuses: number[]): string[] {
    const [answer] = answers
    if (!answer) return ['no answer']
    const flaws = flawsOf(answer, { statuses })
    if (answers.length > 1) flaws.push(`${answers.length} answers`)
    if (answer.headers.connection !== 'close') flaws.push('does not say that it closes')
    if (!closed) flaws.push('not closed')
    return flaws
  }

  const post = (...headers: string[]) => [
    'POST /login HTTP/1.1',
    'Host: auth.test',
    JSON_TYPE,
    ...headers,
    '',
    '',
  ]
  const get = (...headers: string[]) => ['GET /livez HTTP/1.1', ...headers, '', '']
  const lines = (all: string[]) => all.join('\r\n')
  const malformed = {
    'both lengths': `${lines(post('Content-Length: 4', CHUNKED))}0\r\n\r\n`,
    'both lengths, the other order': `${lines(post(CHUNKED, 'Content-Length: 5'))}0\r\n\r\n`,
    'two different lengths': `${lines(post('Content-Length: 2', 'Content-Length: 40'))}{}`,
    'twice the same length': `${lines(post('Content-Length: 2', 'Content-Length: 2'))}{}`,
    'a list of lengths': `${lines(post('Content-Length: 2, 2'))}{}`,
    'a negative length': `${lines(post('Content-Length: -2'))}{}`,
    'a length with a sign': `${lines(post('Content-Length: +2'))}{}`,
    'a length in hexadecimal': `${lines(post('Content-Length: 0x2'))}{}`,
    'a length that is no number': `${lines(post('Content-Length: two'))}{}`,
    'a length beyond 64 bits': `${lines(post(`Content-Length: ${'9'.repeat(25)}`))}{}`,
    'a space before the colon': `${lines(post('Content-Length : 2'))}{}`,
    'an unknown transfer coding': `${lines(post('Transfer-Encoding: xchunked'))}0\r\n\r\n`,
    'chunked and then another coding': `${lines(post('Transfer-Encoding: chunked, gzip'))}0\r\n\r\n`,
    'the same transfer coding twice': `${lines(post(CHUNKED, CHUNKED))}0\r\n\r\n`,
    'the same transfer coding twice in a list': `${lines(post('Transfer-Encoding: chunked, chunked'))}0\r\n\r\n`,
    'two transfer codings': `${lines(post(CHUNKED, 'Transfer-Encoding: identity'))}0\r\n\r\n`,
    'a chunk size that is no number': `${lines(post(CHUNKED))}zz\r\n{}\r\n0\r\n\r\n`,
    'a negative chunk size': `${lines(post(CHUNKED))}-2\r\n{}\r\n0\r\n\r\n`,
    'a chunk size beyond 64 bits': `${lines(post(CHUNKED))}${'f'.repeat(17)}\r\n{}\r\n0\r\n\r\n`,
    'a chunk longer than its size': `${lines(post(CHUNKED))}2\r\n{}{}\r\n0\r\n\r\n`,
    'a chunk that ends in a bare LF': `${lines(post(CHUNKED))}2\n{}\n0\n\n`,
    'lines that end in a bare LF': 'GET /livez HTTP/1.1\nHost: auth.test\n\n',
    'one header line that ends in a bare LF': lines(get('Host: auth.test\nX-Other: 1')),
    'one header line that ends in a bare CR': lines(get('Host: auth.test\rX-Other: 1')),
    'a folded header': lines(get('Host: auth.test', 'X-Other: 1', ' 2')),
    'a header without name': lines(get('Host: auth.test', ': 1')),
    'a header without colon': lines(get('Host: auth.test', 'X-Other')),
    'a NUL in a header': lines(get('Host: auth.test', 'X-Other: 1\x002')),
    'a NUL in a content type': `${lines(get('Host: auth.test', 'Content-Type: application/json\x00x'))}`,
    'a NUL in the path': request('GET', '/live\0z'),
    'bytes beyond ASCII in the path': request('GET', '/livez/\xff'),
    'an unknown method': request('BREW', '/livez'),
    'a method in small letters': request('get', '/livez'),
    'an HTTP version that does not exist': 'GET /livez HTTP/9.9\r\nHost: auth.test\r\n\r\n',
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'the hello of TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'random bytes': Buffer.from('f09f8c82ff00fe0d0a7f80c3280d0a0d0a', 'hex').toString('latin1'),
    'an answer instead of a request': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  }
  for (const [name, bytes] of Object.entries(malformed)) {
    t.test(`400 and a closed connection for ${name}`, async (t) => {
      const seen = await exchange(service.url, bytes + next)

      t.strictSame(flawsOfLastAnswer(seen, [400]), [])
    })
  }

  t.test('400 from Node.js for a request without Host', async (t) => {
    const { answers } = await exchange(service.url, lines(get('Connection: close')))

    t.strictSame(
      answers.map(({ status }) => status),
      [400],
    )
  })

  // Of two hosts a proxy and the service may each take another one.
  t.test('400 for two Host headers on every route', async (t) => {
    await service.addUser()
    const token = await service.login()
    const bearer = `Authorization: Bearer ${token}`
    for (const second of ['Host: auth.test', 'host: other.test', 'HOST:']) {
      for (const bytes of [
        request('GET', '/livez', [second]),
        request('GET', '/identify', [bearer, second]),
        request('POST', '/identify/below', [bearer, second]),
        request('POST', '/verify', [JSON_TYPE, second], JSON.stringify({ token })),
        request('POST', '/introspect', [second]),
        request('GET', '/nowhere', [second]),
      ]) {
        const { answers } = await exchange(service.url, bytes, { answers: 1 })

        t.equal(answers[0]?.status, 400, bytes)
        t.match(answers[0]?.text, '"error":"invalid_request"')
      }
    }
  })

  const tooLarge = {
    'a header over 8 kB': lines(get('Host: auth.test', `X-Other: ${'x'.repeat(8200)}`)),
    'a header of 1 MB': lines(get('Host: auth.test', `X-Other: ${'x'.repeat(1_000_000)}`)),
    'a header name over 8 kB': lines(get('Host: auth.test', `${'x'.repeat(8200)}: 1`)),
    '10,000 headers': lines(get('Host: auth.test', ...Array(10_000).fill('X: 1'))),
    '10,000 empty headers': lines(get('Host: auth.test', ...Array(10_000).fill('X:'))),
    'an address over 8 kB': request('GET', `/${'x'.repeat(9000)}`),
    'an address of 1 MB below /identify': request('GET', `/identify/${'x'.repeat(1_000_000)}`),
  }
  for (const [name, bytes] of Object.entries(tooLarge)) {
    t.test(`431 or 414 and a closed connection for ${name}`, async (t) => {
      const seen = await exchange(service.url, bytes + next)

      t.strictSame(flawsOfLastAnswer(seen, [414, 431]), [])
    })
  }

  t.test('431 reaches a caller that reads only after it has sent everything', async (t) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1').pause()
    const failed = once(socket, 'error').then(([error]) => error.code)
    socket.write('GET /livez HTTP/1.1\r\nHost: auth.test\r\nX-Other: ')
    for (let piece = 0; piece < 10; piece++) {
      await new Promise((resolve) => socket.write('x'.repeat(64_000), resolve))
      // Long enough for the service to refuse the header, and for its reaction to arrive.
      await sleep(20)
    }

    const answer = await Promise.race([failed, text(socket.resume())])

    t.match(answer, /^HTTP\/1\.1 431 /)
  })

  const longBodies = {
    'announced by its length': request('POST', '/login', [JSON_TYPE], ' '.repeat(5000)),
    'announced as 1 GB and not sent': lines(post('Content-Length: 1000000000')),
    'in chunks': `${lines(post(CHUNKED))}${`3e8\r\n${' '.repeat(1000)}\r\n`.repeat(5)}0\r\n\r\n`,
  }
  for (const [name, bytes] of Object.entries(longBodies)) {
    t.test(`413 and a closed connection for a body over 4 kB, ${name}`, async (t) => {
      const seen = await exchange(service.url, bytes + next)

      t.strictSame(flawsOfLastAnswer(seen, [413]), [])
    })
  }

  t.test(
    '408 within 6 s for a body or headers that come byte by byte, while others are served',
    async (t) => {
      const body = request('POST', '/login', [JSON_TYPE, 'Content-Length: 100'])
      const slowly = (bytes: string) => [bytes, ...Array(100).fill('1')]

      const [slowBody, slowHeaders, silence, other] = await Promise.all([
        exchange(service.url, slowly(body), { pauseMs: 150 }),
        exchange(service.url, slowly('GET /livez HTTP/1.1\r\nHost: auth.test\r\nX-Other: '), {
          pauseMs: 150,
        }),
        exchange(service.url, 'GET /livez HT'),
        service.call('GET', '/livez'),
      ])

      t.equal(other.status, 200)
      for (const [name, seen] of Object.entries({ slowBody, slowHeaders, silence })) {
        t.strictSame(flawsOfLastAnswer(seen, [408]), [], name)
        t.ok(seen.afterMs < 6000, `${name} after ${Math.round(seen.afterMs)} ms`)
      }
    },
  )

  t.test('three answers to three pipelined requests', async (t) => {
    const { answers } = await exchange(service.url, next + next + next, { answers: 3 })

    t.strictSame(
      answers.map(({ status }) => status),
      [200, 200, 200],
    )
  })
})
