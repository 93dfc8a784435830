import { createHash, randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { Traits } from './checks.js'
import { ask, bearer, type Headers } from './client.js'
import type { Gateway } from './gateway.js'
import type { Platform } from './platform.js'

/** An allowed request reaches the app as it was sent, and the answer of the app the client. */
export async function checkRequests(t: Test, platform: Platform, { url }: Gateway, traits: Traits) {
  const { app } = platform
  const token = await platform.logIn()
  const headers = bearer(token)

  for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
    await t.test(`200 for ${method} with a token, 401 without, which does not reach the app`, async (t) => {
      const before = app.seen.length
      const known = await ask(url, method, '/private/a?b=c', { headers })
      const unknown = await ask(url, method, '/private/a?b=c')

      t.strictSame([known.status, unknown.status], [200, 401])
      t.match(app.seen.slice(before), [{ method, url: '/private/a?b=c' }])
      t.equal(app.seen.length, before + 1)
    })
  }

  await t.test('200 for a body of any size and form, which arrives whole', async (t) => {
    const large = randomBytes(1_000_000)
    const json = { ...headers, 'Content-Type': 'application/json' }
    const bodies: [string | Uint8Array, Headers][] = [
      [large, { ...headers, 'Content-Type': 'video/mp4' }],
      [large, { ...headers, 'Transfer-Encoding': 'chunked' }],
      [large, { ...json, Expect: '100-continue' }],
      ['{"broken":', json],
      ['{"a":1}', { ...json, 'Content-Encoding': 'br' }],
      ['x', { ...headers, 'Content-Type': ';;;' }],
    ]
    for (const [body, sent] of bodies) {
      for (const method of ['POST', 'PUT']) {
        const { status } = await ask(url, method, '/private/a', { headers: sent, body })
        t.equal(status, 200)
        const digest = createHash('sha256').update(body).digest('hex')
        t.strictSame(
          app.seen.at(-1)?.body,
          { length: body.length, digest },
          `${method} ${sent['Content-Type']}`,
        )
      }
    }
  })

  await t.test('200 for a path that arrives as expected, 4xx for one that does not arrive', async (t) => {
    const found: Record<string, string | undefined> = {}
    for (const path of Object.keys(traits.paths)) {
      const before = app.seen.length
      const { status } = await ask(url, 'GET', path, { headers })
      found[path] = app.seen[before]?.url
      t.ok(found[path] === undefined ? status >= 400 && status < 500 : status === 200, `${status} ${path}`)
    }
    t.strictSame(found, traits.paths)
  })

  await t.test('401, 403, 404, 500 and 503 of the app itself pass unchanged', async (t) => {
    for (const status of [401, 403, 404, 500, 503]) {
      const answer = await ask(url, 'GET', `/private/answers/${status}`, { headers })
      t.equal(answer.status, status)
      t.match(answer.text, `"user":"${platform.userId}"`)
    }
  })
}
