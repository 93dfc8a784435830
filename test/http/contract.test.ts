import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { SETTINGS } from '../../src/config/environment.js'
import { FILE_SETTINGS } from '../../src/config/secret-files.js'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { build } from '../helper.js'
import { contentOf, document, operations } from '../support/openapi.js'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

t.test('the committed document matches the routes (npm run openapi updates it)', async (t) => {
  const print = (...options: string[]) =>
    execFileSync(process.execPath, ['dist/auth-service.js', 'openapi', ...options], {
      cwd: root,
      encoding: 'utf8',
    })

  t.equal(print(), read('openapi/openapi.json'))
  t.equal(print('--yaml'), read('openapi/openapi.yaml'))
  t.strictSame(parse(read('openapi/openapi.yaml')), document)
})

t.test('Redocly finds no error in the document', async (t) => {
  const lint = spawnSync('npx', ['--no-install', 'redocly', 'lint', 'openapi/openapi.json'], { cwd: root })

  t.equal(lint.status, 0, String(lint.stderr))
})

t.test(
  'every operation has an id, a summary, a description, its failures and its security schemes',
  async (t) => {
    t.match(document, {
      openapi: '3.1.0',
      components: { securitySchemes: { bearer: {}, jwt: {}, client: {} } },
    })
    t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
    for (const { path, operationId, summary, description, responses, security } of operations) {
      t.ok(operationId && summary && description, path)
      t.ok('500' in responses && '503' in responses, path)
      if (security) t.ok(WAYS.includes(JSON.stringify(security)), path)
    }
  },
)

t.test('every operation has one tag, which the document explains', async (t) => {
  const { tags } = document

  t.strictSame(
    tags.map(({ name }) => name),
    ['sessions', 'tokens', 'introspection', 'users', 'operation'],
  )
  for (const { description, name } of tags) t.ok(description, name)
  t.strictSame(
    [...new Set(operations.flatMap((operation) => operation.tags))].sort(),
    tags.map(({ name }) => name).sort(),
  )
  for (const operation of operations) t.equal(operation.tags.length, 1, operation.operationId)
})

t.test('answers refer to named schemas, and every status code is an integer', async (t) => {
  const bodies = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).flatMap(({ responses, requestBody }) =>
      [requestBody, ...Object.values(responses)].flatMap((described) => contentOf(described)?.[1] ?? []),
    ),
  )

  t.ok(bodies.length > 50)
  for (const { schema } of bodies) t.match(schema.$ref, /^#\/components\/schemas\/[A-Z][A-Za-z]+$/)
  for (const { responses } of operations) {
    for (const [status, answer] of Object.entries(responses)) {
      const { code } = contentOf(answer)?.[1].schema.properties ?? {}
      if (code) t.strictSame(code, { type: 'integer', const: Number(status) })
    }
  }
})

t.test('the examples log in with the demo account, and add another user', async (t) => {
  const mobileOf = (wanted: string) => {
    const { requestBody } = operations.find(({ operationId }) => operationId === wanted) ?? {}
    return contentOf(requestBody)?.[1].schema.properties.mobile.examples
  }

  t.strictSame(mobileOf('login'), [DEMO_MOBILE])
  t.strictSame(mobileOf('addUser'), ['+8613900139000'])
})

/** A token under either scheme, or the credentials of a service client. */
const WAYS = ['[{"bearer":[]},{"jwt":[]}]', '[{"client":[]}]']

t.test('401 from every route that documents security, without valid credentials', async (t) => {
  const service = await build(t)
  const guarded = operations.filter(({ security }) => security)

  t.strictSame(guarded.map(({ path }) => path).sort(), [
    '/identify',
    '/introspect',
    '/logout',
    '/password',
    '/revoke',
    '/users',
    '/users/{id}',
    '/users/{id}',
    '/users/{id}/password',
    '/users/{id}/session',
  ])
  for (const { method, path } of guarded) {
    for (const headers of [{}, { authorization: 'Bearer x.y.z' }, { authorization: 'Basic eDp5' }] as Record<
      string,
      string
    >[]) {
      const answer = await service.call(method, path.replace('{id}', '1'), {
        headers,
        ...(path === '/password' && { body: PASSWORDS }),
      })
      t.equal(answer.status, 401, `${method} ${path}`)
    }
  }
})

const PASSWORDS = { current: 'seven wet umbrellas', new: 'eight dry umbrellas' }

t.test('200 from /docs with the document, 404 with DOCS=off', async (t) => {
  const service = await build(t)
  const without = await build(t, { backends: service.backends, env: { DOCS: 'off' } })

  const page = await service.call('GET', '/docs')
  t.equal(page.status, 200)
  t.match(page.text, /swagger-ui/)
  t.ok(page.headers.get('content-security-policy'))
  t.strictSame((await service.call('GET', '/docs/json')).body, document)
  t.strictSame(parse((await service.call('GET', '/docs/yaml')).text), document)
  t.equal((await without.call('GET', '/docs')).status, 404)
  t.equal((await without.call('GET', '/docs/json')).status, 404)
})

t.test('docs/settings.md lists every setting, and no other', async (t) => {
  const settings = [
    ...SETTINGS.filter((name) => name !== 'NODE_ENV'),
    ...FILE_SETTINGS.map((name) => `${name}_FILE`),
  ]
  const rows = read('docs/settings.md')
    .split('\n')
    .filter((line) => line.startsWith('|'))
  const names = rows.map((row) => row.split('|')[1] ?? '')
  const listed = [...names.join().matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name)

  for (const name of settings) t.ok(listed.includes(name), `${name} is in a table`)
  for (const name of listed) t.ok([...settings, 'NODE_ENV'].includes(name as string), `${name} is a setting`)
})
