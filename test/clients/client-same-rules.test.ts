import { requireSession, securitySchemes } from '@auth-service/client/fastify'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { MESSAGES as OURS } from '../../clients/node/src/messages.js'
import { preferredLanguage as ours } from '../../clients/node/src/preferred-language.js'
import { preferredLanguage as theirs } from '../../src/http/preferred-language.js'
import { MESSAGES as THEIRS } from '../../src/refusals/messages.js'
import { build } from '../helper.js'
import { exchange, request } from '../support/raw-http.js'
import { readProject } from '../support/siblings.js'

/** The client has its own copy of some rules of the service. These tests compare the two. */
t.test('the token of a request, in a sibling service and in the service itself', async (t) => {
  const service = await build(t)
  await service.addUser()
  const url = await sibling(t, service.url)
  const token = await service.login()
  const ask = async (asked: string, path: string, lines: string[]) =>
    (await exchange(asked, request('GET', path, ['Connection: close', ...lines]))).answers[0]
  const same = async (t: Test, lines: string[]) => {
    const [seen, served] = await Promise.all([ask(url, '/mine', lines), ask(service.url, '/identify', lines)])
    t.equal(seen?.status, served?.status, String(lines))
    if (served?.status !== 200) t.equal(seen?.text, served?.text, String(lines))
    return seen
  }

  t.test('200 for a live token under either scheme', async (t) => {
    const values = ['Bearer @', 'bearer @', 'bEaReR @', 'JWT @', 'jwt   @', '  Bearer @  ', 'Bearer      @\t']
    for (const value of values) {
      t.match(await same(t, [`Authorization: ${value.replaceAll('@', token)}`]), { status: 200 })
    }
  })

  t.test('401 token_missing for a header without exactly one token', async (t) => {
    const values = [
      ...['', 'Bearer', 'Bearer  ', '@', 'Bearer@', 'Token @', 'Basic @', 'DPoP @', 'xBearer @', 'Bearer, @'],
      ...['Bearer @ @', 'Bearer @,@', 'Bearer @, @', 'Bearer @ x', 'Bearer @,', 'Bearer ,@', 'Bearer\t@'],
      ...['Bearer @\tx', 'Bearer \t@', 'Bearer \xa0@', 'Bearer\xa0@', '\xa0Bearer @', 'Bearer @\xa0'],
      ...['Bearer @, Bearer @', 'Bearer Bearer @', 'JWT Bearer @', '"Bearer" @', 'Bearer: @'],
    ]
    for (const value of values) {
      const seen = await same(t, [`Authorization: ${value.replaceAll('@', token)}`])
      t.match(seen, { status: 401, text: /"token_missing"/ }, value)
    }
  })

  t.test('401 token_missing for several headers', async (t) => {
    const live = `Bearer ${token}`
    const several = [
      [`Authorization: ${live}`, `Authorization: ${live}`],
      [`Authorization: ${live}`, `AUTHORIZATION: x`],
      ['authorization:', `Authorization: ${live}`],
      [`Authorization: ${live}`, 'authorization:'],
      [`X-Authorization: ${live}`, `Proxy-Authorization: ${live}`],
    ]
    for (const lines of several) t.match(await same(t, lines), { status: 401, text: /"token_missing"/ })
  })

  t.test('401 token_invalid for a malformed token', async (t) => {
    for (const value of ['"@"', '@;x', '@=', '=@', '<@>', '@\xe9', '@\xff', '{}', 'null', 'undefined', '.']) {
      const seen = await same(t, [`Authorization: Bearer ${value.replaceAll('@', token)}`])
      t.match(seen, { status: 401, text: /"token_invalid"/ }, value)
    }
  })

  t.test('401 in the language of the caller, with the same headers', async (t) => {
    for (const language of ['zh-CN,zh;q=0.9,en;q=0.8', 'en', 'fr, *;q=0', `${'zh,'.repeat(90)}`]) {
      const lines = [`Accept-Language: ${language}`, 'Authorization: Bearer x.y.z']
      const seen = await ask(url, '/mine', lines)
      const served = await ask(service.url, '/identify', lines)
      t.equal(seen?.text, served?.text, language)
      for (const name of ['content-language', 'vary', 'www-authenticate', 'cache-control', 'content-type']) {
        t.equal(seen?.headers[name], served?.headers[name], name)
      }
    }
  })
})

t.test('both choose the same language for every two ranges of Accept-Language', async (t) => {
  const tags = ['*', 'en', 'zh', 'EN-gb', 'zh-Hant-HK', 'fr', 'zha', 'x-zh', '', '"zh', '*-CN']
  const weights = ['', ';q=0', ';q=0.5', '; q = 0.9', ';Q=0.1', ';q', ';v=1;q=0.3', ';q=0.2;q=1', ';q="0.4"']
  const ranges = tags.flatMap((tag) => weights.map((weight) => tag + weight))
  const values = [
    ...[...ranges, 'zh;q=high', '*;q=high', ';;;', '=,;q'],
    ...ranges.flatMap((one) => ranges.map((other) => `${one}, ${other}`)),
    ...[255, 256, 257].map((length) => 'zh'.padEnd(length, ',')),
  ]

  const different = values.filter((value) => ours(value) !== theirs({ 'accept-language': value }))

  t.strictSame(different, [])
  t.equal(ours(undefined), theirs({}))
  t.ok(values.some((value) => ours(value) === 'zh'))
})

t.test('has the messages of the service', async (t) => {
  for (const [slug, message] of Object.entries(OURS)) {
    t.strictSame(message, THEIRS[slug as keyof typeof THEIRS], slug)
  }
  t.ok(Object.keys(OURS).length >= 7)
})

t.test('has the security schemes of the OpenAPI document of the service', async (t) => {
  const { bearer, jwt } = JSON.parse(readProject('openapi/openapi.json')).components.securitySchemes

  t.strictSame(securitySchemes, { bearer, jwt })
})

/** A sibling service with one route. */
async function sibling(t: Test, url: string): Promise<string> {
  const app = Fastify()
  await app.register(requireSession, { url, timeoutMs: 20_000 })
  app.get('/mine', async () => ({}))
  t.teardown(() => app.close())
  return app.listen({ port: 0, host: '127.0.0.1' })
}
