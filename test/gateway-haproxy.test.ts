import t, { type Test } from 'tap'
import { checkGateway } from './support/gateways/checks.js'
import { ask, bearer } from './support/gateways/client.js'
import { startGateway } from './support/gateways/gateway.js'
import { type Platform, startPlatform } from './support/gateways/platform.js'

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

t.test('503 for everybody where the script fails, after which HAProxy goes on', async (t) => {
  const platform = await startPlatform(t)
  const { url } = await haproxy(t, platform, (text) => text.replace('core.httpclient()', 'nothing()'))

  const { status } = await ask(url, 'GET', '/private/a', { headers: bearer(await platform.logIn()) })

  t.equal(status, 503)
  t.strictSame(platform.app.seen, [])
})
