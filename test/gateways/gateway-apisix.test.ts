import t from 'tap'
import { startPlatform } from '../support/gateways/platform.js'
import { checkReplay, only, type Received, readExample } from '../support/gateways/replay.js'

interface Route {
  id: string
  // biome-ignore lint/suspicious/noExplicitAny: of any plugin
  plugins: Record<string, any>
}

const routes: Route[] = readExample('apisix/apisix.yaml').routes
const plugin = routes.find(({ id }) => id === 'everything-else')?.plugins['forward-auth']

/** What APISIX 3 sends (apisix/plugins/forward-auth.lua), with lua-resty-http. */
function headersOf({ method, path, headers }: Received) {
  return {
    'User-Agent': 'lua-resty-http/0.17.2 (Lua) ngx_lua/10026',
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Method': method,
    'X-Forwarded-Host': 'gateway.test',
    'X-Forwarded-Uri': path,
    'X-Forwarded-For': '192.0.2.1',
    ...only(headers, plugin.request_headers),
  }
}

t.test('APISIX with examples/apisix, replayed', async (t) => {
  await checkReplay(t, await startPlatform(t), (received) => ({
    method: 'GET',
    path: new URL(plugin.uri).pathname,
    headers: headersOf(received),
  }))
})

t.test('APISIX with request_method POST, which sends the body too', async (t) => {
  await checkReplay(t, await startPlatform(t), (received) => {
    const body = received.method === 'POST' ? '{"broken":' : ''
    return { method: 'POST', path: '/identify', headers: headersOf(received), body }
  })
})

t.test('the example copies the identity, passes refusals on, and answers 503 in an outage', async (t) => {
  t.strictSame(plugin.upstream_headers, ['X-User-Id', 'X-Session-Id'])
  for (const name of ['WWW-Authenticate', 'Retry-After']) t.ok(plugin.client_headers.includes(name), name)
  t.match(plugin, { allow_degradation: false, status_on_error: 503, uri: 'http://127.0.0.1:3000/identify' })
  const nginx = readExample('apisix/config.yaml').nginx_config
  t.equal(nginx.http.underscores_in_headers, 'off')
})
