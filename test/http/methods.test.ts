import { METHODS } from 'node:http'
import t from 'tap'
import { MESSAGES } from '../../src/refusals/messages.js'
import { build } from '../helper.js'
import { operations } from '../support/openapi.js'
import { exchange, request } from '../support/raw-http.js'

t.test('methods', async (t) => {
  const service = await build(t)

  t.test('405 with Allow for a path that has other methods, in English and Chinese', async (t) => {
    for (const language of ['en', 'zh'] as const) {
      const answer = await service.call('GET', '/login', { headers: { 'accept-language': language } })

      t.match(answer, {
        status: 405,
        body: { code: 405, error: 'method_not_allowed', msg: MESSAGES.method_not_allowed[language] },
      })
      t.equal(answer.headers.get('allow'), 'POST')
    }
  })

  t.test('405 lists every method of the path', async (t) => {
    for (const [method, path, allow] of [
      ['POST', '/', 'GET, HEAD'],
      ['POST', '/livez', 'GET, HEAD'],
      ['OPTIONS', '/login', 'POST'],
      ['PUT', '/users/1', 'GET, HEAD, PATCH'],
      ['PROPFIND', '/users/1/session', 'DELETE'],
      ['GET', '/introspect?token=x', 'POST'],
      ['POST', '/.well-known/jwks.json', 'GET, HEAD'],
      ['POST', '/docs/json', 'GET, HEAD'],
    ] as const) {
      const answer = await service.call(method, path)

      t.match({ status: answer.status, allow: answer.headers.get('allow') }, { status: 405, allow }, path)
    }
  })

  t.test('405 for every other method of every operation, whatever the body', async (t) => {
    const paths = [...new Set(operations.map(({ path }) => path))].filter((path) => path !== '/identify')

    for (const path of paths) {
      const known = operations.filter((operation) => operation.path === path).map(({ method }) => method)
      const allowed = known.includes('GET') ? [...known, 'HEAD'] : known
      for (const method of METHODS.filter((name) => ![...allowed, 'CONNECT', 'HEAD'].includes(name))) {
        const headers = ['Content-Type: text/plain', 'Connection: close']
        const bytes = request(method, path.replace('{id}', '1'), headers, 'not JSON')
        const { answers } = await exchange(service.url, bytes)
        t.equal(answers[0]?.status, 405, `${method} ${path}`)
      }
    }
  })

  t.test('404 for an unknown path', async (t) => {
    for (const path of ['/nowhere', '/login/', '/users/1/other', '/docs/nowhere']) {
      t.match(await service.call('GET', path), { status: 404, body: { error: 'not_found' } }, path)
    }
  })
})
