import { fileURLToPath } from 'node:url'
import { getTableName } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { migrate as runMigrations } from 'drizzle-orm/postgres-js/migrator'
import type { Sql } from 'postgres'
import { PACKAGE_FOLDER } from '../../package-folder.js'
import { OperatorError } from '../../refusals/operator-error.js'
import { describe } from '../failures.js'
import { createStoreCall, isBug, STORE_LIMIT_MS, type StoreLog } from '../store-call.js'
import { hasOwnSessions, type PostgresAddress } from './address.js'
import { type ConnectionSettings, openConnection, RefusedByPostgres } from './connection.js'
import { type Client, createLender, createPlace } from './connections.js'
import * as tables from './schema.js'

const MIGRATIONS = { migrationsFolder: fileURLToPath(new URL('drizzle', PACKAGE_FOLDER)) }

/**
 * Key of the advisory lock that lets one instance migrate while the others wait: 'auth' in ASCII.
 */
const MIGRATION_LOCK = 0x61757468

/**
 * Longest wait for the lock of a user's row, in milliseconds: less than any request waits for the
 * statement.
 */
const LOCK_TIMEOUT_MS = 200

/** Longest run of a statement, in milliseconds, enforced by PostgreSQL. */
const STATEMENT_TIMEOUT_MS = 300

/**
 * A connection that takes longer than this to open, or to answer a statement, is dead, in
 * milliseconds: PostgreSQL itself ends a statement sooner. An attempt whose packets were lost just
 * before the server came back still ends within the second that recovery may take.
 */
const DEAD_AFTER_MS = 600

/**
 * How long a migration waits for a connection, in milliseconds: longer, because no request waits
 * for it.
 */
const MIGRATION_CONNECT_MS = 5000

/**
 * How long a connection is used, in milliseconds: after a failover none must stay with the old
 * server.
 */
const LIFETIME_MS = 600_000

/** The most connections for everything except checks, opened on demand. */
const MOST_CONNECTIONS = 9

export type Database = PostgresJsDatabase<Record<string, never>> & { $client: Sql }

interface Needs<Statements> {
  address: PostgresAddress
  log: StoreLog
  /** Prepares the statements once for each place of a connection, so that no request builds SQL. */
  prepare: (database: Database) => Statements
}

export interface Postgres<Statements> {
  /** Runs one prepared statement within `limitMs`. @throws Unavailable */
  run<T>(statement: (statements: Statements) => Promise<T>, limitMs?: number): Promise<T>
  /**
   * Asks a question that changes nothing and waits for no lock, within STORE_LIMIT_MS. It is
   * pipelined with other questions. @throws Unavailable
   */
  check<T>(question: (client: Client) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Connections that bound the time of every statement, and are replaced when they hang. */
export function createPostgres<Statements>({
  address,
  log,
  prepare,
}: Needs<Statements>): Postgres<Statements> {
  const isEmbedded = 'socketPath' in address
  const settings = isEmbedded
    ? limitedSettings(address)
    : { ...limitedSettings(address), silenceMs: DEAD_AFTER_MS, lifetimeMs: LIFETIME_MS }
  const newPlace = () => createPlace((onLost) => openConnection({ ...settings, onLost }))
  const others = createLender(
    () => {
      const place = newPlace()
      return { ...place, statements: prepare(drizzle({ client: asWhole(place.client) })) }
    },
    // PGlite is one session behind its socket: a second connection would only wait for the first.
    isEmbedded ? 1 : MOST_CONNECTIONS,
  )
  const checks = newPlace()
  const call = createStoreCall({ store: 'postgres', log, meansAway })

  return { run, check, close }

  function run<T>(statement: (statements: Statements) => Promise<T>, limitMs = STORE_LIMIT_MS): Promise<T> {
    return call(() => others.lend(({ statements }) => statement(statements), limitMs), limitMs)
  }

  function check<T>(question: (client: Client) => Promise<T>): Promise<T> {
    if (isEmbedded) return call(() => others.lend(({ client }) => question(client), STORE_LIMIT_MS))
    return call(() => checks.ask(() => question(checks.client)))
  }

  async function close(): Promise<void> {
    await Promise.all([checks.close(), others.close()])
  }
}

/**
 * What drizzle uses of a client to prepare and run statements. Preparing all of them costs as much
 * as connecting, so it is done once for each place and not for each connection.
 */
function asWhole(client: Client): Sql {
  return { ...client, options: { parsers: {}, serializers: {} } } as unknown as Sql
}

/** Session parameters, for addresses where a session lasts as long as its connection. */
const SESSION_LIMITS = {
  statement_timeout: String(STATEMENT_TIMEOUT_MS),
  lock_timeout: String(LOCK_TIMEOUT_MS),
  idle_in_transaction_session_timeout: '2000',
}

function limitedSettings(address: PostgresAddress): ConnectionSettings {
  const settings = settingsFor(address)
  return hasOwnSessions(address)
    ? { ...settings, session: { ...settings.session, ...SESSION_LIMITS } }
    : settings
}

function settingsFor(address: PostgresAddress): ConnectionSettings {
  return { address, session: { application_name: 'auth-service' }, connectMs: DEAD_AFTER_MS }
}

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
 * Migrates the schema to this version. Safe when several instances do it at once: one migrates, the
 * others wait and find nothing left to do.
 *
 * @throws OperatorError
 */
export async function migrate(address: PostgresAddress): Promise<void> {
  const session = { application_name: 'auth-service migrate' }
  try {
    await withConnection({ address, session, connectMs: MIGRATION_CONNECT_MS }, async (sql) => {
      await sql`select pg_advisory_lock(${MIGRATION_LOCK})`
      if ((await schemaAge(sql)) === 'newer') throw newerSchema()
      await runMigrations(drizzle({ client: sql }), MIGRATIONS)
    })
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`cannot migrate the database: ${describe(error as Error)}`)
  }
}

/**
 * Refuses a database without a lock_timeout, with the schema of another version, or with missing
 * rights. @throws OperatorError
 */
export async function requireCurrentSchema(address: PostgresAddress): Promise<void> {
  await withConnection(limitedSettings(address), async (sql) => {
    await requireLockTimeout(sql)
    const age = await schemaAge(sql)
    if (age === 'newer') throw newerSchema()
    if (age === 'older')
      throw new OperatorError('the database schema is not up to date: run auth-service migrate')
    await requireGrants(sql)
  }).catch(explainDenial)
}

/**
 * A table that a migration adds belongs to the role that migrated. Other roles cannot even read it
 * without a grant.
 */
async function requireGrants(sql: Sql): Promise<void> {
  const names = `{${Object.values(tables).map(getTableName).join()}}`
  const rows = await sql<{ name: string }[]>`
    select name from unnest(${names}::text[]) as name where not has_table_privilege(name, 'SELECT')`
  if (rows.length > 0) throw missingGrants(`permission denied for ${rows.map(({ name }) => name).join(', ')}`)
}

/**
 * Explains a permission error. @throws OperatorError, or the error itself if it has another cause
 */
function explainDenial(error: Error): never {
  throw error instanceof RefusedByPostgres && error.code === '42501' ? missingGrants(error.message) : error
}

function missingGrants(denial: string): OperatorError {
  return new OperatorError(
    `the database role lacks rights (${denial}): after every migration run deploy/postgres-grants.sql as its owner`,
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

/** Resolves when PostgreSQL answers a query. Rejects with the driver's error when it does not. */
export async function reachPostgres(address: PostgresAddress): Promise<void> {
  await withConnection({ ...settingsFor(address), silenceMs: DEAD_AFTER_MS }, (sql) => sql`select 1`)
}

async function schemaAge(sql: Sql): Promise<'older' | 'current' | 'newer'> {
  const [found] = await sql<{ journal: string | null }[]>`
    select to_regclass('drizzle.__drizzle_migrations') as journal`
  if (!found?.journal) return 'older'
  const [last] = await sql<{ applied: string | null }[]>`
    select max(created_at) as applied from drizzle.__drizzle_migrations`
  const applied = Number(last?.applied ?? 0)
  const known = Math.max(...readMigrationFiles(MIGRATIONS).map((migration) => migration.folderMillis))
  return applied === known ? 'current' : applied < known ? 'older' : 'newer'
}

function newerSchema(): OperatorError {
  return new OperatorError(
    'the database schema is newer than this version of auth-service: run the version that migrated it, or a later one',
  )
}

/** SQLSTATE classes and codes that blame the server, not the statement. PostgreSQL, appendix A. */
const AWAY = /^(08|53|57|58|XX)|^(25006|55P03|40001|40P01)$/

/**
 * An error of the driver itself means a connection that was lost or failed to open. Only some of
 * these errors have a code.
 */
function meansAway(error: Error): boolean {
  if (error instanceof RefusedByPostgres) return AWAY.test(error.code)
  return !isBug(error)
}
