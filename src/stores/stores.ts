import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisSettings, StoreConfig } from '../config/config.js'
import { OperatorError } from '../refusals/operator-error.js'
import type { AttemptCounts } from './attempt-counts.js'
import { createMemoryAttemptCounts } from './embedded/attempt-counts.js'
import { joinEmbedded, openEmbedded, requireEmbeddedData } from './embedded/embedded.js'
import { createMemorySessionRegistry } from './embedded/session-registry.js'
import { cureOf, describe, isHopeless } from './failures.js'
import { prepareAccountStatements } from './postgres/account-statements.js'
import { type Accounts, createAccounts } from './postgres/accounts.js'
import type { PostgresAddress } from './postgres/address.js'
import { createLoginPlaces, type LoginPlaces, preparePlaceStatements } from './postgres/login-places.js'
import { migrate, requireCurrentSchema } from './postgres/migrations.js'
import { createPostgres } from './postgres/postgres.js'
import {
  createServiceClientRows,
  prepareClientStatements,
  type ServiceClientRows,
} from './postgres/service-clients.js'
import { createRedisAttemptCounts } from './redis/attempt-counts.js'
import { closeRedis, createRedis, type RedisClient, reachRedis, requireNoEviction } from './redis/redis.js'
import { createRedisSessionRegistry } from './redis/session-registry.js'
import { joinState, type SessionRegistry } from './session-registry.js'
import { isBug, type StoreLog } from './store-call.js'

/** How long the start waits for a store that does not answer yet, in milliseconds. */
const START_LIMIT_MS = 60_000

/** Pause between two attempts to reach a store at the start, in milliseconds. */
const RETRY_MS = 100

/** How often the start says what it waits for, in milliseconds, also while an attempt lasts. */
const SAY_EVERY_MS = 1000

/**
 * How long the first attempt may take without a word, in milliseconds. It may find out that its
 * failure is permanent, or be at work over a slow line.
 */
const SILENT_MS = 5000

export interface Stores {
  accounts: Accounts
  serviceClients: ServiceClientRows
  places: LoginPlaces
  registry: SessionRegistry
  counts: AttemptCounts
  /** The connection for writing; undefined in embedded mode. */
  redis: RedisClient | undefined
  /** Each store, by doing for nobody what the service does. Rejects with Unavailable. */
  probes: { postgres: () => Promise<void>; redis?: () => Promise<void> }
  close(): Promise<void>
}

interface Manner {
  /**
   * Whether to use the embedded database of a process that has it open, and to make none. Only the
   * service makes one.
   */
  isCommand?: boolean
  /** How long to wait for a store that does not answer yet, in milliseconds. */
  waitMs?: number
}

/**
 * Opens both stores and waits until they do what the service asks of them.
 *
 * @throws OperatorError with one line that says what is wrong
 */
export function openStores(
  config: StoreConfig,
  log: StoreLog,
  { isCommand = false, waitMs = START_LIMIT_MS }: Manner = {},
): Promise<Stores> {
  return config.kind === 'embedded' ? openHere(config, log, isCommand) : openServers(config, log, waitMs)
}

/** Migrates the schema of these stores. @throws OperatorError */
export async function migrateStores(config: StoreConfig, log: StoreLog): Promise<void> {
  if (config.kind === 'embedded') {
    // openStores migrates an embedded database.
    const stores = await openStores(config, log, { isCommand: true })
    await stores.close()
    return
  }
  if (config.database.pooling === 'transaction') {
    throw new OperatorError(
      'migrating takes a lock that a transaction pooler would lose: run this command with DATABASE_URL naming ' +
        'PostgreSQL itself and DATABASE_POOLING=session',
    )
  }
  await waitFor({ store: 'PostgreSQL', log }, () => migrate(config.database))
}

async function openServers(
  config: StoreConfig & { kind: 'servers' },
  log: StoreLog,
  waitMs: number,
): Promise<Stores> {
  const postgres = postgresStores(config.database, log)
  const redis = redisStores(config.redis, log)
  const close = async () => {
    await Promise.all([postgres.close(), redis.close()])
  }
  const giveUp = new AbortController()
  const patience = { log, waitMs, signal: giveUp.signal }
  try {
    await Promise.all([
      waitFor({ store: 'PostgreSQL', ...patience }, () => requireCurrentSchema(config.database)),
      waitFor({ store: 'Redis', ...patience }, redis.reach),
    ])
    // Opens a connection of each kind, so that no request has to wait for one.
    await waitFor({ store: 'PostgreSQL', ...patience }, postgres.accounts.probe)
  } catch (error) {
    giveUp.abort()
    await close()
    throw error
  }
  const { accounts, serviceClients, places } = postgres
  const { registry, counts, writer } = redis
  const probes = { postgres: accounts.probe, redis: redis.probe }
  return { accounts, serviceClients, places, registry, counts, redis: writer, probes, close }
}

async function openHere(
  { dataDir }: { dataDir: string },
  log: StoreLog,
  isCommand: boolean,
): Promise<Stores> {
  if (isCommand) requireEmbeddedData(dataDir)
  const embedded = (isCommand && (await joinEmbedded(dataDir))) || (await openEmbedded(dataDir))
  const { accounts, serviceClients, places, close } = postgresStores(embedded.address, log)
  const registry = createMemorySessionRegistry()
  const closeBoth = async () => {
    await close()
    await embedded.close()
  }
  try {
    await migrate(embedded.address)
    await restore(registry, accounts)
  } catch (error) {
    await closeBoth()
    throw explainEmbedded(error as Error, dataDir)
  }
  return {
    accounts,
    serviceClients,
    places,
    counts: createMemoryAttemptCounts(),
    registry,
    redis: undefined,
    probes: { postgres: accounts.probe },
    close: closeBoth,
  }
}

/** A full disk, for example, is no bug. */
function explainEmbedded(error: Error, dataDir: string): Error {
  if (error instanceof OperatorError || isBug(error)) return error
  return new OperatorError(`DATA_DIR: the database in ${dataDir} cannot be used: ${describe(error)}`)
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

/** The stores in Redis. `reach` connects, and resolves when they are fit for the service. */
function redisStores(settings: RedisSettings, log: StoreLog) {
  const redis = createRedis(settings)
  const registry = createRedisSessionRegistry({ redis, log })
  const counts = createRedisAttemptCounts({ redis: redis.writer, log })

  return { registry, counts, writer: redis.writer, reach, probe, close: () => closeRedis(redis) }

  async function reach(): Promise<void> {
    await reachRedis(redis, settings)
    await requireNoEviction(redis.writer, log)
    await probe()
  }

  async function probe(): Promise<void> {
    await Promise.all([registry.probe(), counts.probe()])
  }
}

/** R in memory starts empty: join what D holds, so that sessions outlive a restart. */
async function restore(registry: SessionRegistry, accounts: Accounts): Promise<void> {
  for (const held of await accounts.liveSessions()) await joinState(registry, held, Date.now())
}

interface Waiting extends Pick<Manner, 'waitMs'> {
  store: string
  log: StoreLog
  signal?: AbortSignal
}

/**
 * Retries `reach` until it succeeds, and logs once a second what it waits for.
 *
 * @throws OperatorError at once for a permanent failure, otherwise when the time is up
 */
async function waitFor(
  { store, log, waitMs = START_LIMIT_MS, signal }: Waiting,
  reach: () => Promise<void>,
): Promise<void> {
  const started = performance.now()
  let reason: string | undefined
  const say = () => {
    if (reason !== undefined || performance.now() - started > SILENT_MS)
      log.warn(`waiting for ${store}: ${reason ?? 'no answer yet'}`)
  }
  const saying = setInterval(say, SAY_EVERY_MS)
  try {
    for (;;) {
      try {
        return await reach()
      } catch (error) {
        // The other store has failed for good: stop waiting.
        if (signal?.aborted || error instanceof OperatorError) throw error
        const isFirst = reason === undefined
        reason = reasonToWait(error as Error, store)
        if (performance.now() - started > waitMs) {
          throw new OperatorError(`${store} is not ready after ${waitMs / 1000} s: ${reason}`)
        }
        if (isFirst) say()
        await sleep(RETRY_MS)
      }
    }
  } finally {
    clearInterval(saying)
  }
}

/** Of several reasons, the first. @throws OperatorError with one that waiting does not cure */
function reasonToWait(error: Error, store: string): string {
  const reasons = (error instanceof AggregateError ? error.errors : [error]).map(describe)
  const hopeless = reasons.find(isHopeless)
  if (hopeless) throw new OperatorError(`${store} refuses: ${hopeless}${cureOf(hopeless)}`)
  return reasons[0] ?? ''
}
