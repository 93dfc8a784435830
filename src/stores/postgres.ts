import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { migrate as runMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { OperatorError } from '../errors.js'
import { createStoreCall, type StoreLog } from './store-call.js'

const MIGRATIONS = { migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) }

/** Key of the advisory lock that lets one instance migrate while the others wait: 'auth' in ASCII. */
const MIGRATION_LOCK = 0x61757468

/** How long a statement may wait for the row of a user, in milliseconds: less than any caller waits for the statement. */
const LOCK_TIMEOUT_MS = 200

/**
 * How to reach PostgreSQL: a URL, or the Unix socket of the embedded one. Behind a pooler that gives every transaction
 * another connection (`transaction`), nothing may be left in a connection, and nothing can be told to it beforehand.
 */
export type PostgresAddress = { url: string; pooling?: 'session' | 'transaction' } | { socketPath: string }

export type Database = PostgresJsDatabase<Record<string, never>> & { $client: postgres.Sql }

interface Needs<Statements> {
  address: PostgresAddress
  log: StoreLog
  /** Prepares the statements once per pool, so that no request builds SQL. */
  prepare: (database: Database) => Statements
}

export interface Postgres<Statements> {
  /** Runs one prepared statement within `limitMs`. @throws Unavailable */
  run<T>(statement: (statements: Statements) => Promise<T>, limitMs?: number): Promise<T>
  close(): Promise<void>
}

/** A pool of connections whose every statement is bounded in time, replaced as a whole when it hangs. */
export function createPostgres<Statements>({
  address,
  log,
  prepare,
}: Needs<Statements>): Postgres<Statements> {
  let pool = open()
  const call = createStoreCall({ store: 'postgres', log, meansAway, onHung: replacePool })

  return { run, close }

  function run<T>(statement: (statements: Statements) => Promise<T>, limitMs?: number): Promise<T> {
    return call(() => statement(pool.statements).catch(rethrowCause), limitMs)
  }

  async function close(): Promise<void> {
    // A hung server never answers the farewell: after a second the sockets are simply closed.
    await pool.client.end({ timeout: 1 })
  }

  function open() {
    const client = connect(address)
    return { client, statements: prepare(drizzle(client)) }
  }

  function replacePool(): void {
    const hung = pool
    pool = open()
    log.warn('postgres: every connection hangs, opening new ones')
    hung.client.end({ timeout: 0 }).catch(() => undefined)
  }
}

function connect(
  address: PostgresAddress,
  options: postgres.Options<Record<string, never>> = {},
): postgres.Sql {
  const settings: postgres.Options<Record<string, never>> = {
    max: 10,
    // An attempt whose packets were lost just before the server came back, and the pause after it, fit into the second in
    // which answers are right again. The driver would wait for 30 s, and up to 20 s between attempts.
    connect_timeout: 0.6,
    backoff: () => 0.1 + Math.random() * 0.1,
    max_lifetime: 600,
    fetch_types: false,
    onnotice: () => undefined,
    connection: {
      application_name: 'auth-service',
      statement_timeout: 300,
      lock_timeout: LOCK_TIMEOUT_MS,
      idle_in_transaction_session_timeout: 2000,
    },
    ...options,
  }
  // PGlite is one session behind its socket: a second connection would only wait for the first.
  if ('socketPath' in address)
    return postgres({ ...settings, path: address.socketPath, max: 1, max_lifetime: null })
  if (address.pooling === 'transaction') {
    return postgres(address.url, {
      ...settings,
      prepare: false,
      connection: { application_name: 'auth-service' },
    })
  }
  return postgres(address.url, settings)
}

/**
 * Brings the schema up to this version. Safe when several instances do it at once: one migrates, the others
 * wait for it and find nothing left to do.
 */
export async function migrate(address: PostgresAddress): Promise<void> {
  const client = connect(address, {
    max: 1,
    connect_timeout: 5,
    connection: { application_name: 'auth-service migrate' },
  })
  try {
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`
    if ((await schemaAge(client)) === 'newer') throw newerSchema()
    await runMigrations(drizzle(client), MIGRATIONS)
    await client`select pg_advisory_unlock(${MIGRATION_LOCK})`
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`cannot migrate the database: ${describe(rootOf(error as Error))}`)
  } finally {
    await client.end({ timeout: 1 })
  }
}

/** Refuses a database that this version of the code was not written for. @throws OperatorError */
export async function requireCurrentSchema(address: PostgresAddress): Promise<void> {
  const client = connect(address, { max: 1 })
  try {
    await requireLockTimeout(client)
    const age = await schemaAge(client)
    if (age === 'newer') throw newerSchema()
    if (age === 'older')
      throw new OperatorError('the database schema is not up to date: run auth-service migrate')
  } finally {
    await client.end({ timeout: 1 })
  }
}

/**
 * A statement that waits for a lock beyond its deadline could still commit when it gets it: whoever sets the limit, there
 * must be one. A transaction pooler passes on none of ours, so the role has to have it.
 *
 * @throws OperatorError
 */
async function requireLockTimeout(client: postgres.Sql): Promise<void> {
  const [found] = await client`
    select setting::int as ms, current_user as role from pg_settings where name = 'lock_timeout'`
  if (found?.ms > 0 && found?.ms <= LOCK_TIMEOUT_MS) return
  throw new OperatorError(
    `the database role needs a lock_timeout that a transaction pooler cannot pass on; as its owner run: ` +
      `ALTER ROLE ${found?.role} SET lock_timeout = '${LOCK_TIMEOUT_MS}ms'; then reconnect the pooler`,
  )
}

/** Resolves once PostgreSQL answers a query. Rejects with the driver's error while it does not. */
export async function reachPostgres(address: PostgresAddress): Promise<void> {
  const client = connect(address, { max: 1 })
  try {
    await client`select 1`
  } finally {
    await client.end({ timeout: 0 })
  }
}

async function schemaAge(client: postgres.Sql): Promise<'older' | 'current' | 'newer'> {
  const [found] = await client`select to_regclass('drizzle.__drizzle_migrations') as journal`
  if (!found?.journal) return 'older'
  const [last] = await client`select max(created_at) as applied from drizzle.__drizzle_migrations`
  const applied = Number(last?.applied ?? 0)
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

/** A driver's error in one line without data: its code and, where it says nothing of values, its message. */
export function describe(error: Error): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code && !message.includes(code) ? `${code} ${message}`.trim() : message || (code ?? error.name)
}

/** SQLSTATE classes and codes in which the server, and not the statement, is the reason. PostgreSQL, appendix A. */
const AWAY = /^(08|53|57|58|XX)|^(25006|55P03|40001|40P01)$/

function meansAway(error: Error): boolean {
  if (!(error instanceof postgres.PostgresError)) return 'code' in error
  return AWAY.test(error.code)
}
