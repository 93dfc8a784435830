import t from 'tap'
import { answerJson, LIVE, TOKEN, timed, verifierFor } from '../support/client.js'
import { readProject } from '../support/siblings.js'
import { standIn } from '../support/stand-in.js'

t.test(
  'ServiceUnavailable for an answer that breaks the contract, neither accepted nor refused',
  async (t) => {
    const { data } = LIVE
    const bodies: [number, unknown][] = [
      [200, ''],
      [200, '<html>It works!</html>'],
      [200, 'null'],
      [200, '7'],
      [200, {}],
      [200, { ...LIVE, code: 401 }],
      [200, { ...LIVE, data: null }],
      [200, { ...LIVE, data: [] }],
      [200, { ...LIVE, data: { ...data, user_id: '1' } }],
      [200, { ...LIVE, data: { ...data, user_id: 0 } }],
      [200, { ...LIVE, data: { ...data, expires_at: null } }],
      [200, { ...LIVE, data: { ...data, payload: undefined } }],
      [200, { ...LIVE, data: { ...data, payload: { ...data.payload, jti: 1 } } }],
      [200, { ...LIVE, data: { ...data, payload: { ...data.payload, data: { id: 1 } } } }],
      [200, `${JSON.stringify(LIVE)}${' '.repeat(70_000)}`],
      [200, JSON.stringify(LIVE).slice(0, -1)],
      [202, LIVE],
      [204, ''],
      [401, '<html>Log in to the proxy</html>'],
      [401, { code: 401, error: 'invalid_client', msg: '' }],
      [401, { code: 200, error: 'token_invalid', msg: '' }],
      [403, { code: 403, error: 'token_invalid', msg: '' }],
      [400, { code: 400, error: 'invalid_request', msg: '' }],
      [404, { code: 404, error: 'not_found', msg: '' }],
      [413, '<html>Request Entity Too Large</html>'],
      [429, { code: 429, error: 'too_many_attempts', msg: '' }],
      [500, { code: 500, error: 'internal', msg: '' }],
      [502, '<html>Bad Gateway</html>'],
      [503, { code: 503, error: 'temporarily_unavailable', msg: '' }],
    ]
    for (const [status, body] of bodies) {
      const { url } = await standIn(t, (_request, response) => answerJson(response, status, body))

      const { error } = await timed(verifierFor(t, { url }).verify(TOKEN))

      t.equal(error?.name, 'ServiceUnavailable', `${status} ${JSON.stringify(body).slice(0, 80)}`)
    }
    const { url } = await standIn(t, (_request, response) => answerJson(response, 200, LIVE))
    t.ok(await verifierFor(t, { url }).verify(TOKEN), 'what they were made of is an answer')
  },
)

t.test('TokenRefused for every reason for which /verify refuses a token', async (t) => {
  const { paths } = JSON.parse(readProject('openapi/openapi.json'))
  const { error } = paths['/verify'].post.responses[401].content['application/json'].schema.properties

  for (const reason of error.enum) {
    const { url } = await standIn(t, (_request, response) =>
      answerJson(response, 401, { code: 401, error: reason, msg: '' }),
    )
    await t.rejects(verifierFor(t, { url }).verify(TOKEN), { name: 'TokenRefused', error: reason })
  }
  t.ok(error.enum.length >= 5)
})

t.test('ServiceUnavailable for a redirect, which is not followed', async (t) => {
  const elsewhere = await standIn(t, (_request, response) => answerJson(response, 200, LIVE))
  for (const status of [301, 302, 303, 307, 308]) {
    const { url } = await standIn(t, (_request, response) => {
      response.setHeader('location', `${elsewhere.url}/verify`)
      answerJson(response, status, LIVE)
    })

    await t.rejects(verifierFor(t, { url }).verify(TOKEN), { name: 'ServiceUnavailable' }, `${status}`)
  }
  t.equal(elsewhere.traffic.requests, 0)
})

t.test('retryAfter is that of the answer where it is a number of seconds, else 1', async (t) => {
  const said: [string, number][] = [
    ['7', 7],
    ['Fri, 01 Jan 2100 00:00:00 GMT', 1],
    ['-1', 1],
    ['999999999999', 1],
  ]
  for (const [header, retryAfter] of said) {
    const { url } = await standIn(t, (_request, response) => {
      answerJson(response.setHeader('retry-after', header), 503, '')
    })

    await t.rejects(verifierFor(t, { url }).verify(TOKEN), { name: 'ServiceUnavailable', retryAfter }, header)
  }
})
