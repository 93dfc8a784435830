import { readFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import type { Test } from 'tap'
import { claimsOf, PASSWORD } from '../../helper.js'
import { until } from '../servers.js'
import type { Seen } from './app.js'
import type { Traits } from './checks.js'
import { ask, bearer } from './client.js'
import type { Gateway } from './gateway.js'
import type { Platform } from './platform.js'

/** CGI, WSGI and PHP turn each of these into HTTP_X_USER_ID or HTTP_X_SESSION_ID. */
const FORGED = [
  ['X-User-Id', '1000'],
  ['x-user-id', '1001'],
  ['X_USER_ID', '1002'],
  ['x-user_id', '1003'],
  ['X_User-Id', '1004'],
  ['X-Session-Id', 'forged'],
  ['x_session_id', 'forged'],
  ['x-session_id', 'forged'],
  ['x_session-id', 'forged'],
] as const

/** The app receives the identity that the service gives, never one that the client sends. */
export async function checkIdentity(t: Test, platform: Platform, { url }: Gateway, traits: Traits) {
  const { app, userId } = platform
  const token = await platform.logIn()
  const session = claimsOf(token).jti
  const forged = Object.fromEntries(FORGED)

  await t.test('200 with a live token; the app receives its identity', async (t) => {
    for (const scheme of ['Bearer', 'bearer', 'JWT']) {
      const { status } = await ask(url, 'GET', '/private/a', {
        headers: { authorization: `${scheme} ${token}` },
      })
      t.equal(status, 200)
      t.strictSame(identityIn(app.seen.at(-1)), { X_USER_ID: [String(userId)], X_SESSION_ID: [session] })
    }
  })

  await t.test('200 with the identity of the token in place of a forged one', async (t) => {
    for (const [name, value] of FORGED) {
      const { status } = await ask(url, 'GET', '/private/a', { headers: { ...bearer(token), [name]: value } })
      t.equal(status, 200, name)
      t.strictSame(
        identityIn(app.seen.at(-1)),
        { X_USER_ID: [String(userId)], X_SESSION_ID: [session] },
        name,
      )
    }
  })

  await t.test('200 with the identity, although Connection names its headers', async (t) => {
    const headers = { ...bearer(token), connection: 'close, X-User-Id, X-Session-Id' }
    const { status } = await ask(url, 'GET', '/private/a', { headers })

    t.equal(status, 200)
    t.strictSame(identityIn(app.seen.at(-1)), { X_USER_ID: [String(userId)], X_SESSION_ID: [session] })
  })

  await t.test('200 without an identity for a public path, with and without a token', async (t) => {
    for (const headers of [{}, bearer(token), forged, { ...bearer(token), ...forged }]) {
      const { status } = await ask(url, 'GET', '/public/a.css?b=c', { headers })
      t.equal(status, 200)
      t.equal(app.seen.at(-1)?.url, '/public/a.css?b=c')
      t.strictSame(identityIn(app.seen.at(-1)), {})
    }
  })

  await t.test('200 without an identity in trailers, announced or not', async (t) => {
    for (const announced of [{}, { Trailer: FORGED.map(([name]) => name).join() }]) {
      for (const [path, identity] of [
        ['/private/a', { X_USER_ID: [String(userId)], X_SESSION_ID: [session] }],
        ['/public/a', {}],
      ] as const) {
        for (const body of ['{"a":1}', 'x'.repeat(100_000)]) {
          const { status } = await ask(url, 'POST', path, {
            headers: { ...bearer(token), TE: 'trailers', 'Transfer-Encoding': 'chunked', ...announced },
            body,
            trailers: FORGED,
          })

          t.equal(status, 200)
          t.strictSame(identityIn(app.seen.at(-1)), identity)
          t.equal(app.seen.at(-1)?.body.length, body.length)
        }
      }
    }
  })

  await t.test('200 with the right identity for each of many parallel requests', async (t) => {
    const other = '+8613800138111'
    const ids = [userId, await platform.addUser({ mobile: other })]
    const tokens = [token, await platform.logIn(other)]
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    t.teardown(() => agent.destroy())
    const before = platform.line.accepted()

    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        ask(url, 'GET', `/private/${index}`, { agent, headers: bearer(tokens[index % 2] ?? '') }),
      ),
    )

    const right = answers.filter(({ text }, index) => text.includes(`"user":"${ids[index % 2]}"`))
    // On a busy machine the service may refuse some with 503.
    const refused = answers.filter(({ status }) => status >= 500)
    t.equal(right.length + refused.length, answers.length)
    t.ok(right.length > answers.length / 2, `${right.length} of ${answers.length}`)
    const connections = platform.line.accepted() - before
    if (traits.keepsConnections) t.ok(connections <= 32, `on ${connections} connections`)
  })

  await t.test('200 from /login, which logs the address of the client', async (t) => {
    const body = JSON.stringify({ mobile: '13800138000', password: PASSWORD })
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.1' }
    const { status, text } = await ask(url, 'POST', '/login', { headers, body, from: '127.0.0.2' })

    t.equal(status, 200)
    t.equal(
      (await ask(url, 'GET', '/private/a', { headers: bearer(JSON.parse(text).data.token) })).status,
      200,
    )
    await until(async () => {
      const actions = await readFile(platform.actionLog, 'utf8')
      const [last] = actions.trim().split('\n').slice(-1)
      if (JSON.parse(last ?? '{}').ip !== '127.0.0.2') throw new Error(`the last action is ${last}`)
    })
  })
}

/**
 * Headers and trailers that an app might take for the identity, under the names that CGI gives
 * them.
 */
export function identityIn(seen?: Seen): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  const fields = [...(seen?.headers ?? []), ...(seen?.trailers ?? [])]
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]?.toUpperCase().replaceAll('-', '_') ?? ''
    if (/^X_(USER|SESSION)_ID$/.test(name)) found[name] = [...(found[name] ?? []), fields[index + 1] ?? '']
  }
  return found
}
