import assert from 'node:assert'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { openConnection } from '../../src/stores/postgres/connection.js'
import { createPlace } from '../../src/stores/postgres/connections.js'
import { postgresStores } from '../../src/stores/stores.js'
import { startProxy } from '../faults/proxy.js'
import { silent, startBackends, userInserter } from '../helper.js'
import { until } from '../support/servers.js'

const { databaseUrl, sql } = await startBackends(t)
const addUser = userInserter(sql)
const user = await addUser({ mobile: '+8613900000001' })

/** The PostgreSQL processes of the service's connections. */
async function backends(): Promise<number[]> {
  const rows = await sql`
    select pid from pg_stat_activity
    where application_name = 'auth-service' and datname = current_database()`
  return rows.map(({ pid }) => pid)
}

function hang(t: Test, pids: number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  t.teardown(() => {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
  })
}

t.test('replaces connections that hang, for checks and for the rest', async (t) => {
  const proxy = await startProxy(Number(new URL(databaseUrl).port))
  t.teardown(proxy.close)
  const url = databaseUrl.replace(/:\d+\//, `:${proxy.port}/`)
  const { accounts, close } = postgresStores({ url }, silent())
  t.teardown(close)
  await accounts.readClock()
  await accounts.readEntries([user])
  const opened = await until(async () => {
    const pids = await backends()
    assert.equal(pids.length, proxy.accepted(), 'each has its process, and no other is left')
    return pids
  })
  hang(t, opened)

  const started = performance.now()
  await t.rejects(accounts.readClock(), { message: /try again/ })
  await until(async () => {
    const statements = Array.from({ length: opened.length }, () => accounts.readClock())
    await Promise.all([accounts.readEntries([user]), ...statements])
    assert.ok(proxy.connected() <= opened.length + 1, 'those that hung are closed')
  })
  t.ok(performance.now() - started < 2500)
})

t.test('connects once per call to a server that accepts and closes', async (t) => {
  let calls = 0
  const server = createServer((socket) => {
    calls++
    socket.on('error', () => undefined).once('data', () => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { accounts, close } = postgresStores({ url: `postgres://u@127.0.0.1:${port}/d` }, silent())
  t.teardown(close)

  const started = performance.now()
  await t.rejects(accounts.readClock(), { message: /try again/ })
  await t.rejects(accounts.readEntries([user]), { message: /try again/ })

  t.ok(performance.now() - started < 200, 'it is known at once')
  t.equal(calls, 2)
})

t.test('answers other statements while one waits for a row lock', async (t) => {
  const { accounts, close } = postgresStores({ url: databaseUrl }, silent())
  t.teardown(close)
  const other = await addUser({ mobile: '+8613900000002' })
  const change = { userId: user, deadline: Date.now() + 60_000 }
  await accounts.readEntries([user])

  await sql.begin(async (sql) => {
    await sql`select 1 from user_login where user_id = ${user} for update`
    const disabling = accounts.disable(change, 1000)
    disabling.catch(() => undefined)
    await until(async () => {
      assert.equal((await sql`select 1 from pg_locks where not granted`).length, 1)
    })

    t.ok(await accounts.findSession(other))
    t.strictSame(await accounts.readEntries([other]), { [other]: '0.' })
    t.equal((await sql`select 1 from pg_locks where not granted`).length, 1, 'it still waits')
    await t.rejects(disabling, { message: /try again/ })
  })
})

t.test('gives each of many parallel reads its own answer', async (t) => {
  const { accounts, close } = postgresStores({ url: databaseUrl }, silent())
  t.teardown(close)
  const users = await Promise.all(
    Array.from({ length: 40 }, (_, n) => addUser({ mobile: `+86137000000${10 + n}` })),
  )
  const questions = Array.from({ length: 120 }, (_, n) => users[n % users.length] ?? user)

  const entries = await Promise.all(questions.map((id) => accounts.readEntries([id])))
  const found = await Promise.all(users.map((id) => accounts.findById(id, 5000)))

  t.strictSame(
    entries,
    questions.map((id) => ({ [id]: '0.' })),
  )
  t.strictSame(
    found.map((account) => account?.userId),
    users,
  )
  t.ok((await backends()).length <= 10)
})

t.test('a connection that is old is replaced, and what it was asked is answered', async (t) => {
  const opened: ReturnType<typeof openConnection>[] = []
  const place = createPlace((onLost) => {
    const connection = openConnection({
      address: { url: databaseUrl },
      session: {},
      connectMs: 5000,
      lifetimeMs: 50,
      onLost,
    })
    opened.push(connection)
    return connection
  })
  t.teardown(place.close)
  const question = 'select pg_sleep(0.1), pg_backend_pid() as pid'
  const slow = () => place.ask(() => place.client.unsafe(question))

  const first = [slow(), slow()]
  await until(() => assert.ok(opened[0]?.isExpired()))
  const second = slow()

  const pids = (await Promise.all([...first, second])).map(([row]) => row?.pid)
  t.equal(opened.length, 2)
  t.equal(pids[0], pids[1])
  t.not(pids[2], pids[0])
})

t.test('logs a statement that PostgreSQL refuses without its values', async (t) => {
  const { accounts, close } = postgresStores({ url: databaseUrl }, silent())
  t.teardown(close)
  const [mobile, passwordHash] = ['+8613811112222', '$2b$10$secretsecretsecretsecret']
  await sql`alter table user_login add constraint none_of_these check (mobile <> '+8613811112222')`
  const logged: string[] = []
  const log = pino({}, { write: (line) => void logged.push(line) })

  const error = await accounts
    .add({ mobile, passwordHash, deadline: Date.now() + 60_000 }, 1000)
    .catch((error) => error)
  log.error({ err: error }, 'unexpected error')

  t.match(error, { code: '23514', message: /none_of_these/ })
  t.notMatch(logged.join(), mobile)
  t.notMatch(logged.join(), passwordHash)
  t.strictSame(
    Object.getOwnPropertyNames(error).filter((name) => /parameters|args|query|detail/.test(name)),
    [],
  )
})

t.test('rejects with the reason where a socket fails before the driver listens to it', async (t) => {
  // Nobody can connect to the broadcast address: that fails as soon as without a descriptor left.
  const connection = openConnection({
    address: { url: 'postgres://255.255.255.255:1/none' },
    session: {},
    connectMs: 5000,
  })
  t.teardown(connection.close)

  await t.rejects(
    connection.ask(() => connection.sql`select 1`),
    { code: /^(EACCES|ENETUNREACH)$/ },
  )
})
