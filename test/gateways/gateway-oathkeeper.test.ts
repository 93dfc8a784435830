import t from 'tap'
import { basic, claimsOf, clientInserter } from '../helper.js'
import { ask } from '../support/gateways/client.js'
import { startPlatform } from '../support/gateways/platform.js'
import { readExample } from '../support/gateways/replay.js'

interface Rule {
  id: string
  match: { url: string; methods: string[] }
  mutators: { config?: { headers: Record<string, string> } }[]
}

const { authenticators } = readExample('oathkeeper/config.yaml')
const config = authenticators.oauth2_introspection.config
const rules: Rule[] = readExample('oathkeeper/rules.yaml')

t.test('Oathkeeper with examples/oathkeeper, replayed', async (t) => {
  const platform = await startPlatform(t)
  const client = await clientInserter(platform.backends.sql)(['introspect'])

  /**
   * The request of Oathkeeper (authenticator_oauth2_introspection.go), with `scope` because no
   * scope_strategy is set.
   */
  function introspect(token: string, authorization = basic(client)) {
    const { pathname } = new URL(config.introspection_url)
    return ask(`http://127.0.0.1:${platform.line.port}`, 'POST', pathname, {
      headers: {
        'User-Agent': 'Go-http-client/1.1',
        Authorization: authorization,
        'Content-Type': 'application/x-www-form-urlencoded',
        'Accept-Encoding': 'gzip',
      },
      body: new URLSearchParams({ scope: '', token }).toString(),
    })
  }

  await t.test('200 with the claims that Oathkeeper reads, for a live token', async (t) => {
    const token = await platform.logIn()
    const { status, text } = await introspect(token)
    const answer = JSON.parse(text)

    t.equal(status, 200, 'any other status is an error to it')
    t.match(answer, { active: true, sub: String(platform.userId), token_type: 'Bearer', iss: 'auth-service' })
    t.ok(Number.isSafeInteger(answer.exp), 'in seconds')
    t.ok(['undefined', 'string'].includes(typeof answer.aud))
    t.equal(answer.token_use, undefined, 'it refuses any use but access_token')
    t.equal(answer.ext.sid, claimsOf(token).jti, 'the rules have nothing but sub and ext to make headers of')
  })

  await t.test('200 inactive for every other token, which Oathkeeper answers with 401', async (t) => {
    const { live, ...dead } = await platform.tokens()
    for (const token of [...Object.values(dead), 'x', 'x.y.z']) {
      t.match(await introspect(token), { status: 200, text: '{"active":false}' })
    }
    t.match(await introspect(live), { status: 200, text: /^\{"active":true,/ })
  })

  await t.test(
    '401 for wrong credentials and 503 while Redis is away, which Oathkeeper answers with 500',
    async (t) => {
      const token = await platform.logIn()
      t.match(await introspect(token, config.introspection_request_headers.authorization), { status: 401 })
      await platform.backends.redis.stop()
      t.match(await introspect(token), { status: 503 })
    },
  )
})

t.test('exactly one of the example’s rules matches', async (t) => {
  const paths = {
    'everything-else': ['/', '/private/a', '/public', '/public/', '/public/../private', '/publicly/a'].concat(
      ['/private/../public/a', '//public/a', '/public/a;b', '/public/a b', '/login/a', '/logins'],
    ),
    public: ['/public/a', '/public/a.css', '/public/a/b/c-d_e~f.js'],
    own: ['/login', '/logout', '/password'],
  }
  for (const [wanted, examples] of Object.entries(paths)) {
    for (const path of examples) {
      for (const scheme of ['http', 'https']) {
        const url = `${scheme}://gateway.test:8080${path}`
        t.strictSame(
          rules.filter(({ match }) => asPattern(match.url).test(url)).map(({ id }) => id),
          [wanted],
          url,
        )
      }
    }
  }
})

t.test('the rules replace or empty every identity header of a client', async (t) => {
  t.equal(config.cache.enabled, false)
  for (const { id, mutators } of rules.filter(({ id }) => id !== 'own')) {
    const headers = Object.entries(mutators[0]?.config?.headers ?? {})
    t.equal(headers.length, 8, id)
    const filled = headers.filter(([, value]) => value !== '').map(([name]) => name)
    t.strictSame(filled, id === 'public' ? [] : ['X-User-Id', 'X-Session-Id'])
  }
})

/** A pattern of Oathkeeper: a regular expression between < and >, literal text elsewhere. */
function asPattern(url: string): RegExp {
  const parts = url.split(/<([^>]*)>/)
  const escaped = parts.map((part, index) =>
    index % 2 === 1 ? `(${part})` : part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'),
  )
  return new RegExp(`^${escaped.join('')}$`)
}
