import t from 'tap'
import { startPlatform } from '../support/gateways/platform.js'
import { checkReplay, only, readExample } from '../support/gateways/replay.js'

interface Filter {
  name: string
  // biome-ignore lint/suspicious/noExplicitAny: of any filter
  typed_config: any
}

const [listener] = readExample('envoy/envoy.yaml').static_resources.listeners
const filters: Filter[] = listener.filter_chains[0].filters[0].typed_config.http_filters
const config = filters.find(({ name }) => name.endsWith('.ext_authz'))?.typed_config
const service = config.http_service
const names = (list: { patterns: { exact: string }[] }) => list.patterns.map(({ exact }) => exact)

t.test('Envoy with examples/envoy, replayed', async (t) => {
  const allowed = ['authorization', ...names(config.allowed_headers)]

  // The original method and path (ext_authz_http_impl.cc), and the headers that Envoy adds itself.
  await checkReplay(t, await startPlatform(t), ({ method, path, headers }) => ({
    method,
    path: service.path_prefix + path,
    headers: {
      Host: 'gateway.test',
      'content-length': '0',
      ...only(headers, allowed),
      'x-envoy-internal': 'true',
      'x-forwarded-for': '127.0.0.1',
      'x-envoy-expected-rq-timeout-ms': '1000',
    },
  }))
})

t.test('the example removes forged headers, copies the identity, and answers 503 in an outage', async (t) => {
  t.strictSame(names(service.authorization_response.allowed_upstream_headers), ['x-user-id', 'x-session-id'])
  t.equal(config.failure_mode_allow, false)
  t.strictSame(config.status_on_error, { code: 'ServiceUnavailable' })
  t.equal(filters[0]?.name, 'envoy.filters.http.header_mutation', 'what the client says goes first')
  t.strictSame(filters[0]?.typed_config.mutations.request_mutations, [
    { remove: 'x-user-id' },
    { remove: 'x-session-id' },
  ])
})
