import { once } from 'node:events'
import { connect } from 'node:http2'
import t, { type Test } from 'tap'
import { identityIn } from '../support/gateways/check-identity.js'
import { checkGateway } from '../support/gateways/checks.js'
import { ask, bearer } from '../support/gateways/client.js'
import { startGateway } from '../support/gateways/gateway.js'
import { type Platform, startPlatform } from '../support/gateways/platform.js'

const haproxy = (t: Test, platform: Platform, edit?: (text: string) => string) =>
  startGateway(t, platform, {
    example: 'haproxy',
    program: 'haproxy',
    args: () => ['-f', 'haproxy.cfg'],
    ...(edit && { edit }),
  })

t.test('HAProxy with examples/haproxy', async (t) => {
  const platform = await startPlatform(t)
  const gateway = await haproxy(t, platform)

  await checkGateway(t, platform, gateway, {
    refusesVerbatim: true,
    keepsConnections: true,
    paths: {
      '/a/../b': '/a/../b',
      '/a//b': '/a//b',
      '/a%2fb?x=%2f&x=%zz': '/a%2fb?x=%2f&x=%zz',
      '/%E4%BD%A0;a=b': '/%E4%BD%A0;a=b',
      '/../a': '/../a',
    },
    outages: { hung: 503, stores: 503, gone: 503 },
  })
})

t.test('200 without an identity in the trailers of HTTP/2, which its ports speak too', async (t) => {
  const platform = await startPlatform(t)
  const { url } = await haproxy(t, platform)
  const client = connect(url)
  t.teardown(() => client.close())

  for (const [path, body] of [
    ['/public/a', 'x'],
    ['/public/b', 'x'.repeat(100_000)],
    ['/public/c', ''],
  ]) {
    const stream = client.request({ ':method': 'POST', ':path': path }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-user-id': '1000', x_session_id: 'forged' }))
    stream.end(body).resume()
    const [headers] = await once(stream, 'response')

    t.equal(headers[':status'], 200)
    const seen = platform.app.seen.at(-1)
    t.match(seen, { url: path, trailers: [], body: { length: body?.length } })
    t.strictSame(identityIn(seen), {})
  }
})

t.test('5xx where the script that drops trailers fails', async (t) => {
  const platform = await startPlatform(t)
  const { url } = await haproxy(t, platform, (text) => text.replace('channel:remove', 'channel:nothing'))

  const { status } = await ask(url, 'POST', '/public/a', {
    headers: { 'Transfer-Encoding': 'chunked' },
    body: 'x',
    trailers: [['X-User-Id', '1000']],
  })

  t.ok(status >= 500, `${status}`)
  t.strictSame(
    platform.app.seen.flatMap(({ trailers }) => trailers),
    [],
  )
})

t.test('503 for a live token where the script that asks the service fails', async (t) => {
  const platform = await startPlatform(t)
  const { url } = await haproxy(t, platform, (text) => text.replace('core.httpclient()', 'nothing()'))

  const { status } = await ask(url, 'GET', '/private/a', { headers: bearer(await platform.logIn()) })

  t.equal(status, 503)
  t.strictSame(platform.app.seen, [])
})
