import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  basic,
  build,
  type Credentials,
  keylessEnvironmentOf,
  type Service,
  startBackends,
} from '../helper.js'
import { exchange, request } from '../support/raw-http.js'
import { until } from '../support/servers.js'
import { runCli, temporaryDirectory } from '../support/service-process.js'

const backends = await startBackends(t)
/** These tests send many wrong credentials. */
const patient = { LOGIN_MAX_FAILURES: '100' }
const service = await build(t, { backends, env: patient })
const other = await build(t, { backends, env: patient })
await service.addUser()
const actionLog = `${temporaryDirectory()}/user_action.log`
const env = { ...keylessEnvironmentOf(backends), USER_ACTION_LOG: actionLog }
const run = (...args: string[]) => runCli(['client', ...args], env)

/** Waits until an instance accepts a new service client, which takes up to a second. */
function accepted(instance: Service, client: Credentials): Promise<void> {
  const ask = async () => {
    const { status } = await instance.submit('/introspect', { token: 'x' }, client)
    if (status !== 200) throw new Error(`answered ${status}`)
  }
  return until(ask, { withinMs: 1500 })
}

t.test('credentials of a service client', async (t) => {
  const client = await service.addClient(['introspect'])
  const ask = (authorization: string | undefined, path = '/introspect') =>
    service.submit(path, { token: 'x' }, undefined, authorization === undefined ? {} : { authorization })

  t.test('200 for its name and secret, also percent-encoded or under the scheme basic', async (t) => {
    const { name, secret } = client
    const escaped = [...name].map((char) => `%${char.charCodeAt(0).toString(16)}`).join('')

    t.equal((await ask(basic(client))).status, 200)
    t.equal((await ask(basic(client).replace('Basic', 'basic'))).status, 200)
    t.equal((await ask(basic({ name: escaped, secret }))).status, 200)
  })

  t.test('401 invalid_client with the same body and challenge for all other credentials', async (t) => {
    const { name, secret } = client
    const wrong = [
      undefined,
      '',
      'Basic',
      'Basic ',
      'Basic !!!',
      `Basic ${Buffer.from('no-colon').toString('base64')}`,
      basic({ name, secret: '' }),
      basic({ name, secret: `${secret}x` }),
      basic({ name, secret: secret.slice(1) }),
      basic({ name: name.toUpperCase(), secret }),
      basic({ name: 'nobody', secret }),
      basic({ name: '', secret: '' }),
      basic({ name: '__proto__', secret: '' }),
      basic({ name: '%', secret }),
      basic(client).replace('Basic', 'Bearer'),
      `${basic(client)}, ${basic(client)}`,
    ]
    const bodies = new Set()
    for (const authorization of wrong) {
      const answer = await ask(authorization)
      t.equal(answer.status, 401, String(authorization))
      t.equal(answer.headers.get('www-authenticate'), 'Basic realm="auth", charset="UTF-8"')
      t.equal(answer.headers.get('cache-control'), 'no-store')
      bodies.add(answer.text)
    }
    t.equal(bodies.size, 1, [...bodies].join())
    t.match([...bodies][0], '"error":"invalid_client"')
  })

  t.test('401 invalid_client for two Authorization headers, of which Node keeps the first', async (t) => {
    const provisioner = await service.addClient(['users', 'introspect', 'revoke'])
    await accepted(service, provisioner)
    const right = basic(provisioner)
    const wrong = basic({ ...provisioner, secret: 'x' })
    const twice: [first: string, second: string][] = [
      [`Authorization: ${right}`, `Authorization: ${wrong}`],
      [`Authorization: ${right}`, `Authorization: ${right}`],
      [`authorization: ${right}`, `AUTHORIZATION: ${wrong}`],
      [`Authorization: ${right}`, 'aUTHORIZATION:'],
      ['Authorization:', `Authorization: ${right}`],
      [`Authorization: ${wrong}`, `Authorization: ${right}`],
      [`Authorization: ${right}`, 'Authorization: Bearer x.y.z'],
    ]
    const between = { 'one after the other': [], 'with 1,500 headers between them': Array(1500).fill('X:1') }
    const routes: [method: string, path: string, type: string, body: string][] = [
      ['POST', '/introspect', 'application/x-www-form-urlencoded', 'token=x'],
      ['POST', '/revoke', 'application/x-www-form-urlencoded', 'token=x'],
      ['POST', '/users', 'application/json', '{}'],
      ['GET', '/users/999999999', 'application/json', ''],
      ['PATCH', '/users/999999999', 'application/json', '{"status":"active"}'],
      ['PUT', '/users/999999999/password', 'application/json', '{"password":"eight dry parasols"}'],
      ['DELETE', '/users/999999999/session', 'application/json', ''],
    ]

    for (const [name, headers] of Object.entries(between)) {
      for (const [method, path, type, body] of routes) {
        for (const [first, second] of twice) {
          // Caches the right credentials, which must not let the next request in.
          t.equal((await service.submit('/introspect', { token: 'x' }, provisioner)).status, 200)
          const lines = [first, ...headers, second, ...(body ? [`Content-Type: ${type}`] : [])]
          const { answers } = await exchange(service.url, request(method, path, lines, body), { answers: 1 })

          t.equal(answers[0]?.status, 401, `${method} ${path} ${name}: ${first}, ${second}`)
          t.match(answers[0]?.text, '"error":"invalid_client"')
          t.match(answers[0]?.headers, { 'www-authenticate': 'Basic realm="auth", charset="UTF-8"' })
        }
      }
    }
  })

  t.test('403 not_allowed without the permission of the route', async (t) => {
    const answer = await ask(basic(client), '/revoke')

    t.match(answer, { status: 403, body: { error: 'not_allowed' } })
    t.equal(answer.headers.get('www-authenticate'), null)
  })

  t.test('401 without credentials, before the body is read', async (t) => {
    const body = '{"a":'
    const answer = await service.call('POST', '/introspect', { body, headers: { 'content-type': 'text/x' } })

    t.equal(answer.status, 401)
  })

  t.test('logs each refusal with its reason, without the secret', async (t) => {
    service.actions.length = 0
    await ask(basic({ ...client, secret: 'wrong-secret' }))
    await ask(basic(client), '/revoke')

    t.match(service.actions, [
      { event: 'client_refused', reason: 'wrong secret' },
      { event: 'client_refused', reason: `${client.name} lacks the permission revoke` },
    ])
    t.notMatch(JSON.stringify(service.actions), /wrong-secret/)
  })
})

t.test('auth-service client', async (t) => {
  t.test('add prints the secret once, and every instance accepts it', async (t) => {
    const { code, stdout, stderr } = await run('add', 'gateway', '--allow', 'introspect,revoke', '--json')

    t.equal(code, 0, stderr)
    const added = JSON.parse(stdout)
    t.strictSame(Object.keys(added), ['name', 'secret', 'permissions'])
    t.ok(Buffer.from(added.secret, 'base64url').length >= 32, 'at least 256 bits')
    for (const instance of [service, other]) await accepted(instance, added)
    const [row] = await service.sql`select * from service_client where name = 'gateway'`
    t.notMatch(JSON.stringify(row), added.secret)
  })

  t.test('add prints name, secret and a warning as text', async (t) => {
    const { code, stdout } = await run('add', 'reader', '--allow', 'introspect')

    t.equal(code, 0)
    t.match(stdout, /^name +reader$/m)
    t.match(stdout, /^secret +[\w-]{43}$/m)
    t.match(stdout, /cannot be shown again/)
  })

  t.test('list prints every service client, without secrets', async (t) => {
    const { stdout } = await run('list', '--json')
    const clients: { name: string; created_at: string }[] = JSON.parse(stdout)

    t.match(
      clients.find(({ name }) => name === 'gateway'),
      { permissions: ['introspect', 'revoke'] },
    )
    t.strictSame(Object.keys(clients[0] ?? {}), ['name', 'permissions', 'created_at'])
    for (const { created_at } of clients) t.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    t.match((await run('list')).stdout, /^gateway +introspect,revoke/m)
  })

  t.test(
    'exit 1 or 2 with one line for a taken or bad name, for no or unknown permissions, for an unknown client',
    async (t) => {
      for (const [args, message, exitCode = 1] of [
        [['add', 'gateway', '--allow', 'revoke'], /there is a client gateway already/],
        [['add', 'a b', '--allow', 'revoke'], /a client name has up to 64/],
        [['add', 'fine'], /--allow/, 2],
        [['add', 'fine', '--allow', 'everything'], /expected some of introspect, revoke, users/, 2],
        [['add', 'fine', '--allow', ''], /expected some of/, 2],
        [['remove', 'nobody'], /there is no client of this name/],
      ] as [string[], RegExp, number?][]) {
        const { code, stdout, stderr } = await run(...args)
        t.equal(code, exitCode, args.join(' '))
        t.equal(stdout, '')
        t.match(stderr, message)
        t.equal(stderr.trim().split('\n').length, 1, stderr)
      }
    },
  )

  t.test('401 within 5 s of remove on every instance, for a client that keeps asking', async (t) => {
    const gone = await service.addClient(['introspect'])
    const ask = (instance: typeof service) => instance.submit('/introspect', { token: 'x' }, gone)
    for (const instance of [service, other]) await accepted(instance, gone)

    t.equal((await run('remove', gone.name)).code, 0)
    const removed = performance.now()

    for (const instance of [service, other]) {
      // The credentials are in use all the time, as behind a busy gateway.
      while ((await ask(instance)).status === 200) await sleep(20)
      t.ok(performance.now() - removed < 5000)
      t.equal((await ask(instance)).status, 401)
    }
  })

  t.test('401 for the first request after remove, where none came for 4 s', async (t) => {
    const gone = await service.addClient(['introspect'])
    await accepted(service, gone)
    await run('remove', gone.name)
    await sleep(4100)

    t.equal((await service.submit('/introspect', { token: 'x' }, gone)).status, 401)
    t.equal((await service.submit('/introspect', { token: 'x' }, gone)).status, 401, 'and at the one after')
  })

  t.test(
    '503, not 401, when the list of service clients is too old and PostgreSQL does not answer',
    async (t) => {
      const client = await service.addClient(['introspect'])
      await accepted(service, client)
      // The lock blocks every read of the table.
      const lock = service.sql.begin(async (sql) => {
        await sql`lock table service_client in access exclusive mode`
        await sleep(4600)
      })
      await sleep(4100)

      const answer = await service.submit('/introspect', { token: 'x' }, client)

      t.match(answer, { status: 503, body: { error: 'temporarily_unavailable' } })
      await lock
      t.equal((await service.submit('/introspect', { token: 'x' }, client)).status, 200)
    },
  )

  t.test('logs what add and remove have done', async (t) => {
    const lines = readFileSync(actionLog, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))

    t.match(lines[0], { event: 'client_added', client: 'gateway', method: /^cli by / })
    t.match(lines.at(-1), { event: 'client_removed' })
  })
})
