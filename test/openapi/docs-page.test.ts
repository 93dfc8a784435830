import t from 'tap'
import { build } from '../helper.js'
import { exchange, request } from '../support/raw-http.js'

const GZIP = { 'accept-encoding': 'gzip, br' }

t.test('the page of Swagger UI', async (t) => {
  const service = await build(t)

  t.test('200 with the name of the service as its title, and for small screens too', async (t) => {
    const { text } = await service.call('GET', '/docs/')

    t.match(text, /<title>auth-service<\/title>/)
    t.match(text, '<meta name="viewport" content="width=device-width, initial-scale=1">')
  })

  t.test('200, compressed and cached for a day, for the files of the library', async (t) => {
    for (const file of ['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js', 'swagger-ui.css']) {
      const { status, headers, body } = await raw(`/docs/static/${file}`, GZIP)

      t.equal(status, 200)
      t.equal(headers.get('content-encoding'), 'gzip', file)
      t.match(headers.get('vary'), /accept-encoding/i)
      t.equal(headers.get('cache-control'), 'public, max-age=86400')
      t.ok(body.length > 10_000, `${file}: ${body.length} bytes`)
    }
  })

  t.test('200 without compression for a caller who does not accept it', async (t) => {
    const { headers } = await raw('/docs/static/swagger-ui.css', { 'accept-encoding': 'identity' })

    t.equal(headers.get('content-encoding'), null)
  })

  t.test('304 for a file of the library that has not changed', async (t) => {
    const { headers } = await raw('/docs/static/swagger-ui.css', GZIP)
    // fetch would add `Cache-Control: no-cache`, which asks for the whole file.
    const bytes = request('GET', '/docs/static/swagger-ui.css', [
      `If-None-Match: ${headers.get('etag')}`,
      'Connection: close',
    ])
    const { answers } = await exchange(service.url, bytes)

    t.equal(answers[0]?.status, 304)
  })

  t.test('200, asked for again each time, for what changes with the service', async (t) => {
    for (const path of ['/docs/', '/docs/json', '/docs/yaml', '/docs/static/swagger-initializer.js']) {
      t.equal((await raw(path)).headers.get('cache-control'), 'no-cache', path)
    }
  })

  t.test('200 without compression for answers outside /docs', async (t) => {
    t.equal((await raw('/.well-known/jwks.json', GZIP)).headers.get('content-encoding'), null)
    t.equal((await raw('/', GZIP)).headers.get('content-encoding'), null)
  })

  t.test('200 with the whole document, compressed', async (t) => {
    const { headers } = await raw('/docs/json', GZIP)

    t.equal(headers.get('content-encoding'), 'gzip')
    t.match((await service.call('GET', '/docs/json')).body, { openapi: '3.1.0' })
  })

  async function raw(path: string, headers: Record<string, string> = {}) {
    const response = await fetch(service.url + path, { headers })
    return {
      status: response.status,
      headers: response.headers,
      body: Buffer.from(await response.arrayBuffer()),
    }
  }
})
