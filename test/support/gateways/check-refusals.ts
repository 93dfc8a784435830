import type { Test } from 'tap'
import type { Traits } from './checks.js'
import { ask, bearer, type Headers } from './client.js'
import type { Gateway } from './gateway.js'
import type { Platform } from './platform.js'

/** Paths that some servers read as below /public/ and others do not. */
const NOT_PLAINLY_PUBLIC = [
  '/public',
  '/public/',
  '/public/..',
  '/public/../private/a',
  '/public/./../private/a',
  '/public/%2e%2e/private/a',
  '/public/..%2fprivate/a',
  '/public/%2e%2e%2fprivate/a',
  '/public%2f..%2fprivate/a',
  '/public/..%5cprivate/a',
  '/public/..;/private/a',
  '/public/a;b',
  '/public/a%0a',
  '/public/a%00',
  '/public/a%3fb',
  '/public/%252e%252e/private/a',
  '/publicly/a',
  '/PUBLIC/a',
  '/private/a?/public/a',
  '/private/a?x=/../public/a',
  '/',
]

/**
 * Paths that are public to a server that decodes them first. The app must not receive them as they
 * were sent.
 */
const PUBLIC_TO_SOME = [
  '/private/../public/a',
  '/private/..%2fpublic/a',
  '/private/%2e%2e/public/a',
  '//public/a',
]

/** Without a live token the app is not reached, and the client gets the refusal of the service. */
export async function checkRefusals(t: Test, platform: Platform, { url }: Gateway, traits: Traits) {
  const { app } = platform
  const { live, ...dead } = await platform.tokens()
  const credentials: Record<string, string | undefined> = {
    ...Object.fromEntries(Object.entries(dead).map(([name, token]) => [name, `Bearer ${token}`])),
    missing: undefined,
    empty: '',
    'without scheme': live,
    'of another scheme': `Basic ${live}`,
    'two in one': `Bearer ${live}, Bearer ${live}`,
    garbage: 'Bearer x.y.z',
  }

  for (const [name, authorization] of Object.entries(credentials)) {
    await t.test(`401 for a token that is ${name}`, async (t) => {
      const expected = await platform.identify(authorization)
      const before = app.seen.length
      const headers: Headers = authorization === undefined ? {} : { Authorization: authorization }
      for (const [method, body] of [['GET', ''] as const, ['POST', '{"broken":'] as const]) {
        const answer = await ask(url, method, '/private/a', {
          headers: { ...headers, 'X-User-Id': '1' },
          body,
        })

        t.equal(answer.status, 401)
        t.match(answer.headers['www-authenticate'], /^Bearer /)
        if (!traits.refusesVerbatim) continue
        t.equal(answer.headers['www-authenticate'], expected.headers.get('www-authenticate'))
        t.equal(answer.headers['cache-control'], 'no-store')
        t.equal(answer.text, expected.text)
      }
      t.equal(app.seen.length, before, 'the app is not reached')
    })
  }

  await t.test(
    '4xx for two Authorization headers, of which servers keep the first or the last',
    async (t) => {
      const before = app.seen.length
      const [right, wrong] = [`Bearer ${live}`, `Bearer ${dead.ended}`]
      for (const values of [
        [right, wrong],
        [wrong, right],
        [right, right],
      ]) {
        const { status } = await ask(url, 'GET', '/private/a', { headers: { Authorization: values } })
        t.ok(status >= 400 && status < 500, `${status}`)
      }
      t.equal(app.seen.length, before, 'the app is not reached')
    },
  )

  await t.test('401 for the next request after a logout and after a newer login', async (t) => {
    for (const finish of [platform.logOut, () => platform.logIn()]) {
      const token = await platform.logIn()
      t.equal((await ask(url, 'GET', '/private/a', { headers: bearer(token) })).status, 200)
      await finish(token)
      t.equal((await ask(url, 'GET', '/private/a', { headers: bearer(token) })).status, 401)
    }
  })

  await t.test('4xx without a token for every path that is not plainly public', async (t) => {
    const before = app.seen.length
    for (const path of NOT_PLAINLY_PUBLIC) {
      const { status } = await ask(url, 'GET', path)
      t.ok(status >= 400 && status < 500, `${status} ${path}`)
    }
    t.equal(app.seen.length, before, 'the app is not reached')
  })

  await t.test(
    '4xx without a token, or the decoded path to the app, where decoding makes it public',
    async (t) => {
      for (const path of PUBLIC_TO_SOME) {
        const before = app.seen.length
        const { status } = await ask(url, 'GET', path)
        const reached = app.seen.slice(before).map((seen) => seen.url)
        t.strictSame(reached, status === 200 ? ['/public/a'] : [], `${status} ${path}`)
        t.ok(status < 500, path)
      }
    },
  )
}
