import t from 'tap'
import { checkGateway } from '../support/gateways/checks.js'
import { startGateway } from '../support/gateways/gateway.js'
import { startPlatform } from '../support/gateways/platform.js'

t.test('Caddy with examples/caddy', async (t) => {
  const platform = await startPlatform(t)
  const gateway = await startGateway(t, platform, {
    example: 'caddy',
    program: 'caddy',
    args: () => ['run', '--config', 'Caddyfile'],
  })

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
    outages: { hung: 504, stores: 503, gone: 502 },
  })
})
