import { fileURLToPath } from 'node:url'
import { getTableName } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as runMigrations } from 'drizzle-orm/postgres-js/migrator'
import type { Sql } from 'postgres'
import { PACKAGE_FOLDER } from '../../package-folder.js'
import { OperatorError } from '../../refusals/operator-error.js'
import type { PostgresAddress } from './address.js'
import { type ConnectionSettings, openConnection, RefusedByPostgres } from './connection.js'
import * as tables from './schema.js'
import { LOCK_TIMEOUT_MS, limitedSettings } from './session-limits.js'

const MIGRATIONS = { migrationsFolder: fileURLToPath(new URL('drizzle', PACKAGE_FOLDER)) }

/** The table of the migrations that were applied, beside the tables that they make. */
const JOURNAL = 'auth_service_migration'

/** The journal of drizzle, which this service used before it had its own. Others may use it. */
const SHARED_JOURNAL = 'drizzle.__drizzle_migrations'

/**
 * Key of the advisory lock that lets one instance migrate while the others wait: 'auth' in ASCII.
 */
const MIGRATION_LOCK = 0x61757468

/**
 * How long a migration waits for a connection, in milliseconds: longer than the service, because no
 * request waits for it.
 */
const MIGRATION_CONNECT_MS = 10_000

/** Opens a connection for the duration of `work`. */
async function withConnection<T>(settings: ConnectionSettings, work: (sql: Sql) => Promise<T>): Promise<T> {
  const connection = openConnection(settings)
  try {
    return await connection.ask(() => work(connection.sql))
  } finally {
    await connection.close()
  }
}

/**
 * Migrates the schema to this version. Safe when several instances do it at once: one migrates, and
 * the others fail and try again.
 *
 * @throws OperatorError for what waiting does not cure, otherwise the error that may pass
 */
export async function migrate(address: PostgresAddress): Promise<void> {
  const session = { application_name: 'auth-service migrate' }
  await withConnection({ address, session, connectMs: MIGRATION_CONNECT_MS }, async (sql) => {
    const [lock] = await sql<{ held: boolean }[]>`select pg_try_advisory_lock(${MIGRATION_LOCK}) as held`
    if (!lock?.held) throw new Error('another process is migrating')
    // Everybody else who uses a table waits while a migration waits for it.
    await sql`set lock_timeout = '5s'`
    await takeOverJournal(sql)
    const age = await schemaAge(sql)
    if (age === 'newer') throw newerSchema()
    if (age === 'current') return
    await runMigrations(drizzle({ client: sql }), {
      ...MIGRATIONS,
      migrationsSchema: await currentSchema(sql),
      migrationsTable: JOURNAL,
    })
  }).catch(explainRefusal)
}

/**
 * Requires a database in which this version can serve: its schema, a lock_timeout, and the rights.
 *
 * @throws OperatorError for what waiting does not cure, otherwise the error that may pass
 */
export async function requireCurrentSchema(address: PostgresAddress): Promise<void> {
  await withConnection(limitedSettings(address), async (sql) => {
    await requireLockTimeout(sql)
    const age = await schemaAge(sql)
    if (age === 'newer') throw newerSchema()
    if (age === 'older')
      throw new OperatorError('the database schema is not up to date: run auth-service migrate')
    await requireGrants(sql)
  }).catch(explainRefusal)
}

async function schemaAge(sql: Sql): Promise<'older' | 'current' | 'newer'> {
  const [found] = await sql<{ journal: string | null }[]>`select to_regclass(${JOURNAL}) as journal`
  if (!found?.journal) return 'older'
  const [last] = await sql<{ applied: string | null }[]>`
    select max(created_at) as applied from ${sql(JOURNAL)}`
  const applied = Number(last?.applied ?? 0)
  const known = Math.max(...readMigrationFiles(MIGRATIONS).map((migration) => migration.folderMillis))
  return applied === known ? 'current' : applied < known ? 'older' : 'newer'
}

/**
 * Copies, once, what the shared journal says of our migrations. Instances of the version before
 * still read it there. One that this role may not read is not ours.
 */
async function takeOverJournal(sql: Sql): Promise<void> {
  const [found] = await sql`
    select from pg_class as journal join pg_namespace as schema on schema.oid = relnamespace
    where nspname || '.' || relname = ${SHARED_JOURNAL} and to_regclass(${JOURNAL}) is null
      and has_schema_privilege(schema.oid, 'usage') and has_table_privilege(journal.oid, 'select')`
  if (!found) return
  const hashes = readMigrationFiles(MIGRATIONS).map(({ hash }) => hash)
  const ours = await sql<{ hash: string; created_at: string }[]>`
    select hash, created_at from ${sql(SHARED_JOURNAL)} where hash in ${sql(hashes)} order by created_at`
  if (ours.length === 0) return
  await sql.begin(async (sql) => {
    await sql`create table ${sql(JOURNAL)} (id serial primary key, hash text not null, created_at bigint)`
    await sql`insert into ${sql(JOURNAL)} ${sql(ours)}`
  })
}

async function currentSchema(sql: Sql): Promise<string> {
  const [row] = await sql<{ name: string | null }[]>`select current_schema() as name`
  if (row?.name) return row.name
  throw new OperatorError('PostgreSQL: no schema of the search_path exists, or this role may not use it')
}

/** What the service does with its tables. docs/least-privilege.md gives the role exactly this. */
const RIGHTS = Object.entries({
  [getTableName(tables.userLogin)]: 'SELECT, INSERT, UPDATE',
  [getTableName(tables.loginPlace)]: 'SELECT, INSERT, UPDATE, DELETE',
  // Only the command line writes it.
  [getTableName(tables.serviceClient)]: 'SELECT',
}).flatMap(([table, rights]) => rights.split(', ').map((right) => ({ table, right })))

/**
 * A table that a migration adds belongs to the role that migrated. Other roles cannot even read it
 * without a grant.
 */
async function requireGrants(sql: Sql): Promise<void> {
  const missing = await sql<{ table: string; right: string }[]>`
    select wanted.* from json_to_recordset(${JSON.stringify(RIGHTS)}::text::json) as wanted("table" text, "right" text)
    where not has_table_privilege("table", "right")`
  const [first] = missing
  if (first) throw missingRights(`no ${first.right} on ${first.table}`)
}

/**
 * Explains what PostgreSQL refuses.
 *
 * @throws OperatorError where that needs another role, otherwise the error itself
 */
function explainRefusal(error: Error): never {
  if (error instanceof RefusedByPostgres && error.code === '42501') throw missingRights(error.message)
  throw error
}

function missingRights(denial: string): OperatorError {
  return new OperatorError(
    `the database role lacks rights (${denial}): migrate as the owner of the tables, ` +
      'then run deploy/postgres-grants.sql as this owner (docs/least-privilege.md)',
  )
}

/**
 * Requires a lock_timeout, wherever it is set: without one, a statement that waits for a lock
 * beyond its deadline could still commit. A transaction pooler does not pass on ours, so the role
 * needs its own.
 *
 * @throws OperatorError
 */
async function requireLockTimeout(sql: Sql): Promise<void> {
  const [limit] = await sql<{ ms: number; role: string }[]>`
    select setting::int as ms, current_user as role from pg_settings where name = 'lock_timeout'`
  const { ms = 0, role } = limit ?? {}
  if (ms > 0 && ms <= LOCK_TIMEOUT_MS) return
  throw new OperatorError(
    `the database role needs a lock_timeout that a transaction pooler cannot pass on; as its owner run: ` +
      `ALTER ROLE ${role} SET lock_timeout = '${LOCK_TIMEOUT_MS}ms'; then reconnect the pooler`,
  )
}

function newerSchema(): OperatorError {
  return new OperatorError(
    'the database schema is newer than this version of auth-service: run the version that migrated it, or a later one',
  )
}
