import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { Sql } from 'postgres'
import { createStoreCall, isBug, STORE_LIMIT_MS, type StoreLog } from '../store-call.js'
import type { PostgresAddress } from './address.js'
import { openConnection, RefusedByPostgres } from './connection.js'
import { type Client, createLender, createPlace } from './connections.js'
import { DEAD_AFTER_MS, limitedSettings } from './session-limits.js'

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
  const newPlace = () => createPlace((onLost) => openConnection({ ...settings, onLost, onSilence: dropIdle }))
  const others = createLender(
    () => {
      const place = newPlace()
      return { ...place, statements: prepare(drizzle({ client: asWhole(place.client) })) }
    },
    // PGlite is one session behind its socket: a second connection would only wait for the first.
    { most: isEmbedded ? 1 : MOST_CONNECTIONS },
  )
  const checks = newPlace()
  const call = createStoreCall({ store: 'postgres', log, meansAway })

  return { run, check, close }

  /** Whatever silenced one connection, such as a firewall that forgot it, may have silenced all. */
  function dropIdle(): void {
    checks.dropIdle()
    others.dropIdle()
  }

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
