import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import type { Test } from 'tap'
import { parse } from 'yaml'
import { claimsOf } from '../../helper.js'
import { ask, type Headers } from './client.js'
import type { Platform } from './platform.js'

/** A request of a client, as a gateway has received it. */
export interface Received {
  method: string
  path: string
  headers: Headers
}

/** What a gateway asks the service about a request. */
export interface Subrequest extends Received {
  body?: string
}

/** A file of examples/, parsed. */
// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to be there
export function readExample(path: string): any {
  return parse(readFileSync(new URL(`../../../examples/${path}`, import.meta.url), 'utf8'))
}

/** What clients send: every method, odd paths, headers of a body, and a forged identity. */
const RECEIVED: Received[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method) => ({
    method,
    path: '/private/a?b=c',
    headers: { 'User-Agent': 'curl/8.0', 'X-User-Id': '1', Cookie: 'a=b' },
  })),
  ...['/', '/a%2fb', '/a/../b', '/%zz', '//a', '/a;b=c', '/a?token=x&token=y'].map((path) => ({
    method: 'GET',
    path,
    headers: {},
  })),
  {
    method: 'POST',
    path: '/private/a',
    headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', Accept: 'video/mp4' },
  },
]

/** The answers of the service to the sub-requests of a gateway are what that gateway needs. */
export async function checkReplay(
  t: Test,
  platform: Platform,
  subrequest: (received: Received) => Subrequest,
) {
  const { live, ...dead } = await platform.tokens()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())

  await t.test('200 with the identity in headers for every request with a live token', async (t) => {
    const before = platform.line.accepted()
    for (const received of RECEIVED) {
      const { status, headers } = await send(received, `Bearer ${live}`)
      t.equal(status, 200, `${received.method} ${received.path}`)
      t.match(headers, { 'x-user-id': String(platform.userId), 'x-session-id': claimsOf(live).jti })
    }
    t.ok(platform.line.accepted() - before <= 1, 'over one connection')
  })

  await t.test(
    '401 with the challenge, without an identity, for every request without a live token',
    async (t) => {
      const credentials = [undefined, '', 'Bearer x', `Bearer ${live},Bearer ${live}`]
      for (const authorization of [
        ...credentials,
        ...Object.values(dead).map((token) => `Bearer ${token}`),
      ]) {
        for (const received of RECEIVED) {
          const { status, headers } = await send(received, authorization)
          t.equal(status, 401)
          t.match(headers['www-authenticate'], /^Bearer realm="auth"/)
          t.equal(headers['cache-control'], 'no-store')
          t.notOk(headers['x-user-id'] ?? headers['x-session-id'])
        }
      }
    },
  )

  await t.test('503 without an identity while Redis is away', async (t) => {
    await platform.backends.redis.stop()
    const { status, headers } = await send({ method: 'GET', path: '/', headers: {} }, `Bearer ${live}`)

    t.equal(status, 503)
    t.notOk(headers['x-user-id'] ?? headers['www-authenticate'])
  })

  function send({ method, path, headers }: Received, authorization?: string) {
    const shown: Headers =
      authorization === undefined ? headers : { ...headers, Authorization: authorization }
    const asked = subrequest({ method, path, headers: shown })
    const url = `http://127.0.0.1:${platform.line.port}`
    return ask(url, asked.method, asked.path, { agent, headers: asked.headers, body: asked.body ?? '' })
  }
}

/** Those of the headers whose names are listed, in any case. */
export function only(headers: Headers, names: string[]): Headers {
  const wanted = new Set(names.map((name) => name.toLowerCase()))
  return Object.fromEntries(Object.entries(headers).filter(([name]) => wanted.has(name.toLowerCase())))
}
