import t, { type Test } from 'tap'
import { clientInserter } from '../helper.js'
import { checkGateway } from '../support/gateways/checks.js'
import { ask, bearer } from '../support/gateways/client.js'
import { startGateway } from '../support/gateways/gateway.js'
import { type Platform, startPlatform } from '../support/gateways/platform.js'

const apache = (t: Test, platform: Platform, client: { name: string; secret: string }) =>
  startGateway(t, platform, {
    example: 'apache',
    program: 'apache2',
    args: (directory) => ['-d', directory, '-f', 'apache.conf', '-DFOREGROUND'],
    env: { AUTH_CLIENT: client.name, AUTH_CLIENT_SECRET: client.secret },
  })

t.test('Apache with examples/apache', async (t) => {
  const platform = await startPlatform(t)
  const client = await clientInserter(platform.backends.sql)(['introspect'])
  const gateway = await apache(t, platform, client)

  await checkGateway(t, platform, gateway, {
    refusesVerbatim: true,
    keepsConnections: false,
    paths: {
      '/a/../b': '/b',
      '/a//b': '/a/b',
      '/a%2fb': undefined,
      '/a?x=%2f&x=%zz': '/a?x=%2f&x=%zz',
      '/%E4%BD%A0;a=b': '/%E4%BD%A0;a=b',
      '/../a': undefined,
    },
    outages: { hung: 502, stores: 503, gone: 503 },
  })
})

t.test('503, without reaching the app, where it could not introspect a live token', async (t) => {
  const platform = await startPlatform(t)
  const { url } = await apache(t, platform, { name: 'nobody', secret: 'wrong' })

  const { status, headers } = await ask(url, 'POST', '/private/a', {
    headers: bearer(await platform.logIn()),
  })

  t.equal(status, 503)
  t.equal(headers['retry-after'], '1')
  t.strictSame(platform.app.seen, [])
})
