import t from 'tap'
import { checkGateway } from '../support/gateways/checks.js'
import { startGateway } from '../support/gateways/gateway.js'
import { startPlatform } from '../support/gateways/platform.js'

t.test('nginx with examples/nginx', async (t) => {
  const platform = await startPlatform(t)
  const gateway = await startGateway(t, platform, {
    example: 'nginx',
    program: 'nginx',
    args: (directory) => ['-p', directory, '-e', 'stderr', '-c', `${directory}/nginx.conf`],
  })

  await checkGateway(t, platform, gateway, {
    refusesVerbatim: true,
    keepsConnections: true,
    paths: {
      '/a/../b': '/a/../b',
      '/a//b': '/a//b',
      '/a%2fb?x=%2f&x=%zz': '/a%2fb?x=%2f&x=%zz',
      '/%E4%BD%A0;a=b': '/%E4%BD%A0;a=b',
      '/../a': undefined,
    },
    outages: { hung: 503, stores: 503, gone: 503 },
  })
})
