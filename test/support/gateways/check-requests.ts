import { createHash, randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { Traits } from './checks.js'
import { ask, bearer, type Headers } from './client.js'
import type { Gateway } from './gateway.js'
import type { Platform } from './platform.js'

/** A request that may pass reaches the app as it was sent, whatever it is, and the app's answer the client. */
export async function checkRequests(t: Test, platform: Platform, { url }: Gateway, traits: Traits) {
  const { app } = platform
  const token = await platform.logIn()
  const headers = bearer(token)

  for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
    await t.test(`${method} with a token reaches the app, without one it does not`, async (t) => {
      const before = app.seen.length
      const known = await ask(url, method, '/private/a?b=c', { headers })
      const unknown = await ask(url, method, '/private/a?b=c')

      t.strictSame([known.status, unknown.status], [200, 401])
      t.match(app.seen.slice(before), [{ method, url: '/private/a?b=c' }])
      t.equal(app.seen.length, before + 1)
    })
  }

  await t.test('a body of any size and form arrives whole', async (t) => {
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

  await t.test('a path arrives as it was sent, or not at all', async (t) => {
    const found: Record<string, string | undefined> = {}
    for (const path of Object.keys(traits.paths)) {
      const before = app.seen.length
      const { status } = await ask(url, 'GET', path, { headers })
      found[path] = app.seen[before]?.url
      t.ok(found[path] === undefined ? status >= 400 && status < 500 : status === 200, `${status} ${path}`)
    }
    t.strictSame(found, traits.paths)
  })

  await t.test('the app’s own refusals and failures pass as they are', async (t) => {
    for (const status of [401, 403, 404, 500, 503]) {
      const answer = await ask(url, 'GET', `/private/answers/${status}`, { headers })
      t.equal(answer.status, status)
      t.match(answer.text, `"user":"${platform.userId}"`)
    }
  })
}
