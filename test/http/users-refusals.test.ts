import t from 'tap'
import { basic, build, MOBILE, PASSWORD } from '../helper.js'
import { provisioner } from '../support/provisioner.js'

const service = await build(t)
const userId = await service.addUser()
const client = await service.addClient(['users'])
const reader = await service.addClient(['introspect', 'revoke'])
const { ask } = provisioner(service.url, client)
const token = await service.login()

type Route = [method: string, path: string, body: Record<string, string> | undefined]

/** Every route with a request that would succeed. */
const routesOf = (id: number | string): Route[] => [
  ['GET', `/users/${id}`, undefined],
  ['PATCH', `/users/${id}`, { status: 'disabled' }],
  ['PUT', `/users/${id}/password`, { password: 'eight dry parasols' }],
  ['DELETE', `/users/${id}/session`, undefined],
]
const ROUTES: Route[] = [
  ['POST', '/users', { mobile: '+8613900139000', password: 'eight dry parasols' }],
  ...routesOf(userId),
]

for (const [method, path, body] of ROUTES) {
  t.test(`${method} ${path}`, async (t) => {
    t.test('401 invalid_client without the credentials of a service client', async (t) => {
      const { name, secret } = client
      const wrong = [
        undefined,
        `Bearer ${token}`,
        basic({ name, secret: `${secret}x` }),
        basic({ name: MOBILE, secret: PASSWORD }),
      ]
      for (const authorization of wrong) {
        const headers = authorization === undefined ? {} : { authorization }
        const answer = await service.call(method, path, { body, headers })

        t.match(answer, { status: 401, body: { code: 401, error: 'invalid_client', msg: String } })
        t.strictSame(Object.keys(answer.body), ['code', 'error', 'msg'])
        t.equal(answer.headers.get('www-authenticate'), 'Basic realm="auth", charset="UTF-8"')
        t.equal(answer.headers.get('cache-control'), 'no-store')
      }
    })

    t.test('403 not_allowed for a service client with every other permission', async (t) => {
      const answer = await service.call(method, path, { body, headers: { authorization: basic(reader) } })

      t.match(answer, { status: 403, body: { code: 403, error: 'not_allowed', msg: String } })
      t.equal(answer.headers.get('www-authenticate'), null)
      t.match(service.actions.at(-1), {
        event: 'client_refused',
        reason: `${reader.name} lacks the permission users`,
        url: path,
      })
    })

    if (!body) return

    t.test('415 for any type but JSON, 413 for more than 4 kB, 400 for no body', async (t) => {
      const types = ['text/plain', 'application/x-www-form-urlencoded', 'application/json-patch+json', 'x']
      for (const type of types) {
        const answer = await ask(method, path, JSON.stringify(body), { 'content-type': type })
        t.match(answer, { status: 415, body: { code: 415, error: 'unsupported_media_type' } }, type)
      }
      t.match(await ask(method, path, { ...body, mobile: 'x'.repeat(5000) }), {
        status: 413,
        body: { error: 'payload_too_large' },
      })
      for (const nothing of [undefined, '']) {
        const answer = await ask(method, path, nothing, { 'content-type': 'application/json' })
        t.match(answer, { status: 400, body: { error: 'invalid_request' } })
      }
    })
  })
}

t.test('404 not_found with a message of its own for an unknown user', async (t) => {
  for (const id of [userId + 1, 999_999_999, Number.MAX_SAFE_INTEGER]) {
    for (const [method, path, body] of routesOf(id)) {
      t.match(
        await ask(method, path, body),
        { status: 404, body: { error: 'not_found', msg: 'There is no such user.' } },
        `${method} ${path}`,
      )
    }
  }
})

t.test('400 invalid_request for an id that is not written as a positive safe integer', async (t) => {
  const ids = [
    '0',
    '-1',
    '+1',
    '01',
    '1.0',
    '1e0',
    '0x1',
    '1_0',
    'abc',
    'null',
    '%20',
    '1%20',
    '%EF%BC%91',
    '1n',
  ]
  const tooLarge = ['9007199254740992', '9'.repeat(20), '9'.repeat(7000), '%39'.repeat(101)]
  for (const id of [...ids, ...tooLarge, `${userId},${userId}`, `'or'1'='1`]) {
    for (const [method, path, body] of routesOf(id)) {
      const answer = await ask(method, path, body)
      t.match(answer, { status: 400, body: { error: 'invalid_request', msg: /^params\/id / } }, path)
      t.notMatch(answer.text, '999')
    }
  }
})

t.test('405 for other methods', async (t) => {
  for (const [method, path] of [
    ['GET', '/users'],
    ['DELETE', `/users/${userId}`],
    ['PUT', `/users/${userId}`],
    ['POST', `/users/${userId}`],
    ['GET', `/users/${userId}/password`],
    ['POST', `/users/${userId}/session`],
    ['GET', `/users/${userId}/session`],
  ] as const) {
    t.match(
      await ask(method, path),
      { status: 405, body: { error: 'method_not_allowed' } },
      `${method} ${path}`,
    )
  }
})

t.test('changes nothing and logs only the refused service clients', async (t) => {
  t.equal((await service.identify(token)).status, 200)
  const rows = await service.sql`select user_id::int, status from user_login`
  t.strictSame([...rows], [{ user_id: userId, status: 'active' }])
  const events = new Set(service.actions.map(({ event }) => event))
  t.strictSame([...events], ['login', 'client_refused'])
})
