import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { getTableName } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { migrate as runMigrations } from 'drizzle-orm/node-postgres/migrator'
import pg from 'pg'
import { PACKAGE_FOLDER } from '../../package-folder.js'
import { OperatorError } from '../../refusals/operator-error.js'
import { describe } from '../failures.js'
import { createStoreCall, isBug, type StoreLog } from '../store-call.js'
import type { FirstValue } from './first-value.js'
import * as tables from './schema.js'

const MIGRATIONS = { migrationsFolder: fileURLToPath(new URL('drizzle', PACKAGE_FOLDER)) }

/** Key of the advisory lock that lets one instance migrate while the others wait: 'auth' in ASCII. */
const MIGRATION_LOCK = 0x61757468

/** How long a statement may wait for the row of a user, in milliseconds: less than any caller waits for the statement. */
const LOCK_TIMEOUT_MS = 200

/** How long a statement may take, in milliseconds, by PostgreSQL's own clock. */
const STATEMENT_TIMEOUT_MS = 300

/**
 * A connection that has not come about, or not answered a statement, for so long is dead, in milliseconds: PostgreSQL itself ends
 * a statement sooner. An attempt whose packets were lost just before the server came back fits into the second in which answers
 * are right again.
 */
const DEAD_AFTER_MS = 600

/** How long the migration waits for a connection, in milliseconds: nobody waits for an answer. */
const MIGRATION_CONNECT_MS = 5000

/**
 * How to reach PostgreSQL: a URL, or the Unix socket of the embedded one. Behind a pooler that gives every transaction
 * another connection (`transaction`), nothing may be left in a connection, and nothing can be told to it beforehand.
 */
export type PostgresAddress = { url: string; pooling?: 'session' | 'transaction' } | { socketPath: string }

export type Database = NodePgDatabase<Record<string, never>> & { $client: pg.Pool }

interface Needs<Statements> {
  address: PostgresAddress
  log: StoreLog
  /** Prepares the statements once, so that no request builds SQL. */
  prepare: (database: Database) => Statements
}

export interface Postgres<Statements> {
  /** Runs one prepared statement within `limitMs`. @throws Unavailable */
  run<T>(statement: (statements: Statements) => Promise<T>, limitMs?: number): Promise<T>
  close(): Promise<void>
}

/** A pool of connections whose every statement is bounded in time, and which are replaced when they hang. */
export function createPostgres<Statements>({
  address,
  log,
  prepare,
}: Needs<Statements>): Postgres<Statements> {
  const pool = openPool(address)
  const connected = new Set<pg.Client>()
  pool.on('connect', (client) => connected.add(client)).on('remove', (client) => connected.delete(client))
  const statements = prepare(drizzle({ client: pool }))
  const call = createStoreCall({ store: 'postgres', log, meansAway })

  return { run, close }

  function run<T>(statement: (statements: Statements) => Promise<T>, limitMs?: number): Promise<T> {
    return call(() => statement(statements).catch(rethrowCause), limitMs)
  }

  async function close(): Promise<void> {
    await pool.end()
    // A hung server never answers the farewell.
    for (const client of connected) client.connection.stream.destroy()
  }
}

function openPool(address: PostgresAddress): pg.Pool {
  const pool = new pg.Pool({
    ...limitedSettings(address),
    // Opened as they are needed, then kept for ten minutes.
    idleTimeoutMillis: 0,
    ...('socketPath' in address
      ? // PGlite is one session behind its socket: a second connection would only wait for the first.
        { max: 1 }
      : { max: 10, maxLifetimeSeconds: 600, query_timeout: DEAD_AFTER_MS }),
  })
  // An idle connection was lost: the next statement opens another, and tells if it cannot.
  pool.on('error', () => undefined)
  return hasOwnSessions(address) ? pool : withoutNames(pool)
}

/** Not behind a transaction pooler, and not in PGlite, which is one session for all its connections. */
function hasOwnSessions(address: PostgresAddress): boolean {
  return !('socketPath' in address) && address.pooling !== 'transaction'
}

/** Where another connection may have the session next, a statement's name is unknown to it, or taken. */
function withoutNames(pool: pg.Pool): pg.Pool {
  const query = pool.query.bind(pool) as (config: Named, values?: unknown[]) => unknown
  const unnamed = (config: Named, values?: unknown[]) => query(Object.assign(config, { name: '' }), values)
  return Object.assign(pool, { query: unnamed })
}

type Named = pg.QueryConfig | FirstValue

/** What PostgreSQL is told at the beginning of every session, where that lasts as long as the connection. */
const SESSION_LIMITS = {
  statement_timeout: STATEMENT_TIMEOUT_MS,
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: 2000,
}

function limitedSettings(address: PostgresAddress): pg.ClientConfig {
  return { ...settingsFor(address), ...(hasOwnSessions(address) ? SESSION_LIMITS : {}) }
}

function settingsFor(address: PostgresAddress): pg.ClientConfig {
  const settings = {
    application_name: 'auth-service',
    connectionTimeoutMillis: DEAD_AFTER_MS,
    keepAlive: true,
  }
  if (!('socketPath' in address)) return { ...settings, connectionString: address.url }
  const stream = () => new PathSocket(address.socketPath)
  return { ...settings, stream, user: 'postgres', database: 'postgres' }
}

/** Goes to one Unix socket, whatever it is told to: the driver knows only PostgreSQL's own names for them. */
class PathSocket extends Socket {
  constructor(private readonly path: string) {
    super()
  }

  override connect(): this {
    return super.connect(this.path)
  }
}

/** One connection, for as long as the work takes. */
async function withConnection<T>(
  settings: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(settings)
  // What is lost while a statement runs is that statement's error.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } finally {
    client.connection.stream.destroy()
  }
}

/**
 * Brings the schema up to this version. Safe when several instances do it at once: one migrates, the others
 * wait for it and find nothing left to do.
 */
export async function migrate(address: PostgresAddress): Promise<void> {
  const settings = {
    ...settingsFor(address),
    application_name: 'auth-service migrate',
    connectionTimeoutMillis: MIGRATION_CONNECT_MS,
  }
  try {
    await withConnection(settings, async (client) => {
      await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
      if ((await schemaAge(client)) === 'newer') throw newerSchema()
      await runMigrations(drizzle({ client }), MIGRATIONS)
    })
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`cannot migrate the database: ${describe(rootOf(error as Error))}`)
  }
}

/** Refuses a database that this version of the code was not written for. @throws OperatorError */
export async function requireCurrentSchema(address: PostgresAddress): Promise<void> {
  await withConnection(limitedSettings(address), async (client) => {
    await requireLockTimeout(client)
    const age = await schemaAge(client)
    if (age === 'newer') throw newerSchema()
    if (age === 'older')
      throw new OperatorError('the database schema is not up to date: run auth-service migrate')
    await requireGrants(client)
  }).catch(explainDenial)
}

/**
 * A table that a migration has added belongs to the role that migrated, and nobody else may even
 * read it.
 */
async function requireGrants(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select name from unnest($1::text[]) as name where not has_table_privilege(name, 'SELECT')`,
    [Object.values(tables).map(getTableName)],
  )
  if (rows.length > 0) throw missingGrants(`permission denied for ${rows.map(({ name }) => name).join(', ')}`)
}

/**
 * What the role may not even look at. @throws OperatorError, or the error itself where it is about
 * something else
 */
function explainDenial(error: Error): never {
  throw error instanceof pg.DatabaseError && error.code === '42501' ? missingGrants(error.message) : error
}

function missingGrants(denial: string): OperatorError {
  return new OperatorError(
    `the database role lacks rights (${denial}): after every migration run deploy/postgres-grants.sql as its owner`,
  )
}

/**
 * A statement that waits for a lock beyond its deadline could still commit when it gets it: whoever sets the limit, there
 * must be one. A transaction pooler passes on none of ours, so the role has to have it.
 *
 * @throws OperatorError
 */
async function requireLockTimeout(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ ms: number; role: string }>(
    `select setting::int as ms, current_user as role from pg_settings where name = 'lock_timeout'`,
  )
  const { ms = 0, role } = rows[0] ?? {}
  if (ms > 0 && ms <= LOCK_TIMEOUT_MS) return
  throw new OperatorError(
    `the database role needs a lock_timeout that a transaction pooler cannot pass on; as its owner run: ` +
      `ALTER ROLE ${role} SET lock_timeout = '${LOCK_TIMEOUT_MS}ms'; then reconnect the pooler`,
  )
}

/** Resolves once PostgreSQL answers a query. Rejects with the driver's error while it does not. */
export async function reachPostgres(address: PostgresAddress): Promise<void> {
  const settings = { ...settingsFor(address), query_timeout: DEAD_AFTER_MS }
  await withConnection(settings, (client) => client.query('select 1'))
}

async function schemaAge(client: pg.Client): Promise<'older' | 'current' | 'newer'> {
  const { rows: found } = await client.query<{ journal: string | null }>(
    `select to_regclass('drizzle.__drizzle_migrations') as journal`,
  )
  if (!found[0]?.journal) return 'older'
  const { rows: last } = await client.query<{ applied: string | null }>(
    'select max(created_at) as applied from drizzle.__drizzle_migrations',
  )
  const applied = Number(last[0]?.applied ?? 0)
  const known = Math.max(...readMigrationFiles(MIGRATIONS).map((migration) => migration.folderMillis))
  return applied === known ? 'current' : applied < known ? 'older' : 'newer'
}

function newerSchema(): OperatorError {
  return new OperatorError(
    'the database schema is newer than this version of auth-service: run the version that migrated it, or a later one',
  )
}

/** drizzle wraps errors in one whose message holds the parameters: hashes and mobile numbers must not travel in it. */
function rethrowCause(error: Error): never {
  throw rootOf(error)
}

function rootOf(error: Error): Error {
  return error.cause instanceof Error ? rootOf(error.cause) : error
}

/** SQLSTATE classes and codes in which the server, and not the statement, is the reason. PostgreSQL, appendix A. */
const AWAY = /^(08|53|57|58|XX)|^(25006|55P03|40001|40P01)$/

/** Whatever the driver itself reports is a connection that was lost or did not come about, and has a code only sometimes. */
function meansAway(error: Error): boolean {
  if (error instanceof pg.DatabaseError) return AWAY.test(error.code ?? '')
  return !isBug(error)
}
