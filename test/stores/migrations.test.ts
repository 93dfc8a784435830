import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { startProxy } from '../faults/proxy.js'
import { createAuthority } from '../support/certificates.js'
import { until } from '../support/servers.js'
import { runCli, spawnCli } from '../support/service-process.js'
import { startPostgresWithPasswords } from '../support/topologies.js'

const server = await startPostgresWithPasswords(t, createAuthority().issue('IP:127.0.0.1'))
const admin = postgres(server.url, { max: 1, onnotice: () => undefined })
await admin`create role owner login password 'right'`
t.teardown(() => admin.end())

const JOURNAL = 'auth_service_migration'

/** What the journal of drizzle looks like. */
const SHARED = `
  create schema if not exists drizzle;
  create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`

/** A database of its own, which `owner` may use as docs/least-privilege.md says. */
async function database(t: Test) {
  const name = `m_${randomUUID().slice(0, 8)}`
  await admin.unsafe(`create database ${name}`)
  const superuser = server.url.replace(/postgres$/, name)
  const sql = postgres(superuser, { max: 1, onnotice: () => undefined })
  t.teardown(() => sql.end())
  await sql.unsafe(`grant create on database ${name} to owner; grant usage, create on schema public to owner`)
  const url = superuser.replace('postgres@', 'owner:right@')
  const environment = (DATABASE_URL = url) => ({ DATABASE_URL, REDIS_URL: 'redis://127.0.0.1:1' })
  return { name, url, sql, environment, migrate: (at?: string) => runCli(['migrate'], environment(at)) }
}

type Sql = Awaited<ReturnType<typeof database>>['sql']

async function tables(sql: Sql): Promise<string[]> {
  const rows = await sql`select tablename as name from pg_tables where schemaname = 'public' order by 1`
  return rows.map(({ name }) => name)
}

/** Gives the database the journal of a release that had none of its own. */
async function moveToSharedJournal(sql: Sql): Promise<void> {
  await sql.unsafe(SHARED)
  await sql.unsafe(`
    insert into drizzle.__drizzle_migrations (hash, created_at) select hash, created_at from ${JOURNAL};
    drop table ${JOURNAL};
    grant usage on schema drizzle to owner;
    grant select on drizzle.__drizzle_migrations to owner`)
}

t.test('exit 0 of migrate beside another application of drizzle, whose journal stays as it is', async (t) => {
  const { sql, migrate } = await database(t)
  await sql.unsafe(SHARED)
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('theirs', 9999999999999)`

  const { code, stderr } = await migrate()

  t.equal(code, 0, stderr)
  t.same(await tables(sql), [JOURNAL, 'login_place', 'service_client', 'user_login'])
  t.same(
    (await sql`select hash from drizzle.__drizzle_migrations`).map(({ hash }) => hash),
    ['theirs'],
  )
})

t.test(
  'takes over what the shared journal says of its own migrations, and runs none of them again',
  async (t) => {
    const { sql, migrate } = await database(t)
    await migrate()
    const before = await sql`select hash, created_at from ${sql(JOURNAL)} order by created_at`
    await moveToSharedJournal(sql)
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('theirs', 9999999999999)`

    const { code, stderr } = await migrate()

    t.equal(code, 0, stderr)
    t.same(await sql`select hash, created_at from ${sql(JOURNAL)} order by created_at`, before)
    t.equal((await sql`select from drizzle.__drizzle_migrations`).length, before.length + 1)
  },
)

t.test('exit 0 of migrate without CREATE on the database where nothing is to be done', async (t) => {
  const { name, sql, migrate } = await database(t)
  await migrate()
  await sql.unsafe(`revoke create on database ${name} from owner; revoke create on schema public from owner`)

  const { code, stderr } = await migrate()

  t.equal(code, 0, stderr)
})

t.test('exit 1 of migrate with one line for a role that may not create anything', async (t) => {
  const { name, sql, migrate } = await database(t)
  await sql.unsafe(`revoke create on database ${name} from owner; revoke create on schema public from owner`)

  const { code, stderr } = await migrate()

  t.equal(code, 1)
  t.match(stderr, /^auth-service: the database role lacks rights \(permission denied [^\n]+\n$/)
  t.match(stderr, /docs\/least-privilege\.md/)
})

t.test('migrate says that it waits for another migration, and goes on after it', async (t) => {
  const { sql, environment } = await database(t)
  await sql`select pg_advisory_lock(1635087464)`

  const running = spawnCli(['migrate'], { env: environment() })
  await until(() => assert.match(running.stdout(), /waiting for PostgreSQL: another process is migrating/))
  await sql`select pg_advisory_unlock(1635087464)`

  t.equal((await running.exited).code, 0)
})

t.test('exit 0 of migrate with TLS and SCRAM over a line of 120 ms', async (t) => {
  const { url, migrate } = await database(t)
  const slow = await startProxy(server.port, undefined, { lateMs: 60 })
  t.teardown(slow.close)

  const { code, stderr, stdout } = await migrate(
    `${url.replace(`:${server.port}/`, `:${slow.port}/`)}?sslmode=no-verify`,
  )

  t.equal(code, 0, stderr)
  t.notMatch(stdout, 'waiting for')
})
