import { asc, eq, sql } from 'drizzle-orm'
import type { Database, Postgres } from './postgres.js'
import { serviceClient } from './schema.js'

export type Permission = (typeof serviceClient.$inferSelect)['permissions'][number]

/**
 * Time limit of a read, in milliseconds. It precedes the two calls of a check, in a request that is
 * answered within 500 ms.
 */
const READ_LIMIT_MS = 200

/** A program with credentials of its own. `secretDigest`: SHA-256 of its secret, base64url. */
export interface ServiceClient {
  name: string
  secretDigest: string
  permissions: Permission[]
  createdAt: string
}

export type ServiceClientRows = ReturnType<typeof createServiceClientRows>

/**
 * The service clients in PostgreSQL.
 *
 * Every method throws Unavailable when PostgreSQL does not answer in time.
 */
export function createServiceClientRows(postgres: Pick<Postgres<ClientStatements>, 'run'>) {
  return { all, add, remove }

  /** All service clients, ordered by name. There are only a handful. */
  function all(): Promise<ServiceClient[]> {
    return postgres.run((statements) => statements.allClients.execute(), READ_LIMIT_MS)
  }

  /** Adds a service client. False when the name is taken. */
  async function add(client: Omit<ServiceClient, 'createdAt'>): Promise<boolean> {
    return (await postgres.run((statements) => statements.addClient(client))).length > 0
  }

  /** Removes a service client. False when there was none of that name. */
  async function remove(name: string): Promise<boolean> {
    return (await postgres.run((statements) => statements.removeClient.execute({ name }))).length > 0
  }
}

export type ClientStatements = ReturnType<typeof prepareClientStatements>

export function prepareClientStatements(database: Database) {
  const returning = { name: serviceClient.name }
  return {
    allClients: database
      .select()
      .from(serviceClient)
      .orderBy(asc(serviceClient.name))
      .prepare('all_service_clients'),
    addClient: (client: Omit<ServiceClient, 'createdAt'>) =>
      database
        .insert(serviceClient)
        .values(client)
        .onConflictDoNothing({ target: serviceClient.name })
        .returning(returning)
        .execute(),
    removeClient: database
      .delete(serviceClient)
      .where(eq(serviceClient.name, sql.placeholder('name')))
      .returning(returning)
      .prepare('remove_service_client'),
  }
}
