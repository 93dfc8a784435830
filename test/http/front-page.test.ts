import t from 'tap'
import { build } from '../helper.js'
import { document } from '../support/openapi.js'

t.test('the front page', async (t) => {
  const service = await build(t)
  const undocumented = await build(t, { backends: service.backends, env: { DOCS: 'off' } })

  t.test('200 with links to what a browser can open', async (t) => {
    const { status, headers, text } = await service.call('GET', '/')

    t.equal(status, 200)
    t.equal(headers.get('content-type'), 'text/html; charset=utf-8')
    t.match(text, /<title>auth-service<\/title>/)
    t.strictSame(linksOf(text), ['docs/', 'docs/json', 'docs/yaml', 'livez', 'readyz'])
    for (const link of linksOf(text)) t.equal((await service.call('GET', `/${link}`)).status, 200, link)
  })

  t.test('200 with security headers and a policy that allows nothing', async (t) => {
    const { headers } = await service.call('GET', '/')

    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('referrer-policy'), 'no-referrer')
    t.match(headers.get('content-security-policy'), /^default-src 'none'; .*frame-ancestors 'none'$/)
  })

  t.test('200 without links to the documentation with DOCS=off', async (t) => {
    const { status, text } = await undocumented.call('GET', '/')

    t.equal(status, 200)
    t.strictSame(linksOf(text), ['livez', 'readyz'])
    t.notMatch(text, /docs/)
  })

  t.test('is not in the OpenAPI document', async (t) => {
    t.notOk('/' in document.paths)
  })
})

function linksOf(html: string): string[] {
  return Array.from(html.matchAll(/href="([^"]+)"/g), ([, link = '']) => link)
}
