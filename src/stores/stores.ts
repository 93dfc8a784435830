import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreConfig } from '../config/config.js'
import { OperatorError } from '../refusals/operator-error.js'
import type { AttemptCounts } from './attempt-counts.js'
import { createMemoryAttemptCounts } from './embedded/attempt-counts.js'
import { joinEmbedded, openEmbedded } from './embedded/embedded.js'
import { createMemorySessionRegistry } from './embedded/session-registry.js'
import { describe, isHopeless } from './failures.js'
import { prepareAccountStatements } from './postgres/account-statements.js'
import { type Accounts, createAccounts } from './postgres/accounts.js'
import type { PostgresAddress } from './postgres/address.js'
import { createLoginPlaces, type LoginPlaces, preparePlaceStatements } from './postgres/login-places.js'
import { createPostgres, migrate, reachPostgres, requireCurrentSchema } from './postgres/postgres.js'
import {
  createServiceClientRows,
  prepareClientStatements,
  type ServiceClientRows,
} from './postgres/service-clients.js'
import { createRedisAttemptCounts } from './redis/attempt-counts.js'
import { closeRedis, createRedis, type RedisClient, reachRedis, requireNoEviction } from './redis/redis.js'
import { createRedisSessionRegistry } from './redis/session-registry.js'
import { joinState, type SessionRegistry } from './session-registry.js'
import type { StoreLog } from './store-call.js'

/** How long the start waits for a store that does not answer yet, in milliseconds. */
const START_LIMIT_MS = 60_000

/** Pause between two attempts to reach a store at the start, in milliseconds. */
const RETRY_MS = 100

export interface Stores {
  accounts: Accounts
  serviceClients: ServiceClientRows
  places: LoginPlaces
  registry: SessionRegistry
  counts: AttemptCounts
  /** The connection for writing; undefined in embedded mode. */
  redis: RedisClient | undefined
  close(): Promise<void>
}

/**
 * Opens both stores and waits until they answer.
 *
 * @param beside whether to share an embedded database with the process that has it open, as
 *   commands do
 * @throws OperatorError with one line that says what is wrong
 */
export function openStores(
  config: StoreConfig,
  log: StoreLog,
  { beside = false }: { beside?: boolean } = {},
): Promise<Stores> {
  return config.kind === 'embedded' ? openHere(config, log, beside) : openServers(config, log)
}

/** Migrates the schema of these stores. @throws OperatorError */
export async function migrateStores(config: StoreConfig, log: StoreLog): Promise<void> {
  if (config.kind === 'embedded') {
    // openStores migrates an embedded database.
    const stores = await openStores(config, log)
    await stores.close()
    return
  }
  if (config.database.pooling === 'transaction') {
    throw new OperatorError(
      'migrating takes a lock that a transaction pooler would lose: run this command with DATABASE_URL naming ' +
        'PostgreSQL itself and DATABASE_POOLING=session',
    )
  }
  await waitFor('PostgreSQL', () => reachPostgres(config.database), log)
  await migrate(config.database)
}

async function openServers(config: StoreConfig & { kind: 'servers' }, log: StoreLog): Promise<Stores> {
  const address = config.database
  const redis = createRedis(config.redis)
  const giveUp = new AbortController()
  try {
    await Promise.all([
      waitFor('PostgreSQL', () => reachPostgres(address), log, giveUp.signal),
      waitFor('Redis', () => reachRedis(redis, config.redis), log, giveUp.signal),
    ])
    await requireNoEviction(redis.writer, log)
    await requireCurrentSchema(address)
  } catch (error) {
    giveUp.abort()
    await closeRedis(redis)
    throw error
  }

  const { accounts, serviceClients, places, close } = postgresStores(address, log)
  // Open a connection of each kind now, so that no request has to wait for one.
  await Promise.allSettled([accounts.ping(), accounts.readClock()])
  return {
    accounts,
    serviceClients,
    places,
    counts: createRedisAttemptCounts({ redis: redis.writer, log }),
    registry: createRedisSessionRegistry({ redis, log }),
    redis: redis.writer,
    close: async () => {
      await Promise.all([close(), closeRedis(redis)])
    },
  }
}

async function openHere({ dataDir }: { dataDir: string }, log: StoreLog, beside: boolean): Promise<Stores> {
  const embedded = (beside && (await joinEmbedded(dataDir))) || (await openEmbedded(dataDir))
  await migrate(embedded.address)
  const { accounts, serviceClients, places, close } = postgresStores(embedded.address, log)
  const registry = createMemorySessionRegistry()
  await restore(registry, accounts)
  return {
    accounts,
    serviceClients,
    places,
    counts: createMemoryAttemptCounts(),
    registry,
    redis: undefined,
    close: async () => {
      await close()
      await embedded.close()
    },
  }
}

/** The stores in PostgreSQL. The first call connects. */
export function postgresStores(address: PostgresAddress, log: StoreLog) {
  const postgres = createPostgres({
    address,
    log,
    prepare: (database) => ({
      ...prepareAccountStatements(database),
      ...prepareClientStatements(database),
      ...preparePlaceStatements(database),
    }),
  })
  return {
    accounts: createAccounts(postgres),
    serviceClients: createServiceClientRows(postgres),
    places: createLoginPlaces(postgres),
    close: postgres.close,
  }
}

/** R in memory starts empty: join what D holds, so that sessions outlive a restart. */
async function restore(registry: SessionRegistry, accounts: Accounts): Promise<void> {
  for (const held of await accounts.liveSessions()) await joinState(registry, held, Date.now())
}

/**
 * Retries `reach` until it succeeds, and logs once a second what it waits for.
 *
 * @throws OperatorError at once for a permanent failure, otherwise after a minute
 */
async function waitFor(
  store: string,
  reach: () => Promise<void>,
  log: StoreLog,
  signal?: AbortSignal,
): Promise<void> {
  const started = performance.now()
  for (let said = 0; ; ) {
    try {
      return await reach()
    } catch (error) {
      // The other store has failed for good: stop waiting.
      if (signal?.aborted) throw error
      // Of several reasons, name the one that the operator must act on.
      const reasons = (error instanceof AggregateError ? error.errors : [error]).map(describe)
      const hopeless = reasons.find(isHopeless)
      const reason = hopeless ?? reasons[0]
      const waited = performance.now() - started
      if (hopeless) throw new OperatorError(`${store} refuses the connection: ${hopeless}`)
      if (waited > START_LIMIT_MS) {
        throw new OperatorError(`${store} cannot be reached after ${START_LIMIT_MS / 1000} s: ${reason}`)
      }
      if (waited >= said * 1000) {
        said = Math.floor(waited / 1000) + 1
        log.warn(`waiting for ${store}: ${reason}`)
      }
      await sleep(RETRY_MS)
    }
  }
}
