import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { basic, build, MOBILE } from '../helper.js'
import { naughtyStrings, needsCorpora } from '../support/corpora.js'
import { findings, flawsOf } from '../support/envelope.js'
import { rawPathClient } from '../support/http-client.js'

const JSON_TYPE = { 'content-type': 'application/json' }

t.test('naughty strings', async (t) => {
  const lines: string[] = []
  const stream = new PassThrough().on('data', (line) => lines.push(String(line)))
  const log = pino({ level: 'trace' }, stream)
  const service = await build(t, { log, env: { LOGIN_MAX_FAILURES: '100' } })
  const userId = await service.addUser()
  const authorization = basic(await service.addClient(['users']))
  const token = await service.login()
  const send = rawPathClient(t, service.url)

  t.test('400 or 401 for naughty strings as mobile', needsCorpora(), async (t) => {
    const wrong = await findings(naughtyStrings(), async (mobile) => {
      const answer = await send('POST', '/login', JSON_TYPE, json({ mobile, password: 'not it' }))
      return [mobile, flawsOf(answer, { statuses: [400, 401], input: mobile })]
    })

    t.strictSame(wrong, [])
  })

  t.test(
    '401, or 429 once throttled, for naughty strings as password, none of which is logged',
    needsCorpora(),
    async (t) => {
      const strings = naughtyStrings()
      const wrong = await findings(strings, async (password) => {
        const answer = await send('POST', '/login', JSON_TYPE, json({ mobile: MOBILE, password }))
        return [password, flawsOf(answer, { statuses: [400, 401, 413, 429], input: password })]
      })

      t.strictSame(wrong, [])
      const events = JSON.stringify(service.actions)
      t.strictSame(
        strings.filter((text) => text.length >= 8 && events.includes(JSON.stringify(text).slice(1, -1))),
        [],
      )
      t.notMatch(events, MOBILE)
      t.ok(service.actions.some(({ event }) => event === 'login_throttled'))
    },
  )

  t.test('400 or 404 for naughty strings as user id', needsCorpora(), async (t) => {
    const ids = naughtyStrings().filter((text) => text !== String(userId))
    const wrong = await findings(ids, async (id) => {
      const answer = await send('GET', `/users/${encodeURIComponent(id)}`, { authorization })
      return [id, flawsOf(answer, { statuses: [400, 404], input: id })]
    })

    t.strictSame(wrong, [])
  })

  t.test('401 for naughty strings as token', needsCorpora(), async (t) => {
    const wrong = await findings(naughtyStrings(), async (text) => {
      const answer = await send('POST', '/verify', JSON_TYPE, json({ token: text }))
      return [text, flawsOf(answer, { statuses: [text === '' ? 400 : 401], input: text })]
    })

    t.strictSame(wrong, [])
  })

  t.test('401 for naughty strings as Authorization header', needsCorpora(), async (t) => {
    const legal = naughtyStrings()
      .map((text) => Buffer.from(text).toString('latin1'))
      .filter((text) => /^[\t\x20-\x7e\x80-\xff]*$/.test(text))

    const wrong = await findings(legal, async (text) => {
      const found: string[] = []
      for (const authorization of [text, `Bearer ${text}`, `JWT ${text}`, `Bearer ${token} ${text}`]) {
        const isToken = authorization.trim() === `Bearer ${token}`
        const answer = await send('GET', '/identify', { authorization })
        found.push(...flawsOf(answer, { statuses: [isToken ? 200 : 401], input: text.trim() }))
      }
      return [text, found]
    })

    t.strictSame(wrong, [])
    t.ok(legal.length > 400)
  })

  t.test(
    '200 for naughty strings below /identify with a live token, 401 without a token',
    needsCorpora(),
    async (t) => {
      const strings = naughtyStrings()
      const paths = [
        ...strings.map(encodeURIComponent),
        ...strings.filter((text) => /^[\x21-\x7e]+$/.test(text)),
      ]

      const wrong = await findings(paths, async (path) => {
        const known = await send('POST', `/identify/${path}`, { authorization: `Bearer ${token}` })
        const unknown = await send('GET', `/identify/${path}`)
        const flaws = flawsOf(known, { statuses: [200], input: path })
        return [path, [...flaws, ...flawsOf(unknown, { statuses: [401], input: path })]]
      })

      t.strictSame(wrong, [])
      t.ok(paths.length > 600)
    },
  )

  t.test('404 or 400 for naughty strings as path', needsCorpora(), async (t) => {
    const strings = naughtyStrings()
    const paths = [
      ...strings.filter(Boolean).map(encodeURIComponent),
      ...strings.filter((text) => /^[\x21-\x7e]+$/.test(text)),
    ]

    const wrong = await findings(paths, async (path) => {
      const answer = await send('POST', `/${path}`, JSON_TYPE, Buffer.from('{}'))
      return [path, flawsOf(answer, { statuses: [400, 404], input: path })]
    })

    t.strictSame(wrong, [])
  })

  t.test('200 from /livez after all naughty strings, without an error in the log', async (t) => {
    const { status } = await service.call('GET', '/livez')

    t.equal(status, 200)
    t.notMatch(lines.join(), token)
    t.strictSame(
      lines.filter((line) => JSON.parse(line).level >= 50),
      [],
    )
    t.equal((await service.identify(token)).status, 200)
  })
})

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
