import { existsSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { OperatorError } from '../../refusals/operator-error.js'
import { tuneV8ForPGlite } from '../../v8.js'
import type { PostgresAddress } from '../postgres/address.js'
import { isListening, makePrivateDirectory, pathsIn, takeLock } from './data-directory.js'
import { unpackDatabase } from './first-start.js'
import { syncedFiles } from './synced-files.js'

/** Enough for the service and the commands that run beside it. */
const MAX_CONNECTIONS = 8

/** Overrides of PGlite's defaults, which are 128 MB of shared buffers and no fsync. */
const SETTINGS = ['shared_buffers=8MB', 'fsync=on', 'wal_sync_method=fsync']

export interface Embedded {
  address: PostgresAddress
  close(): Promise<void>
}

/**
 * PostgreSQL inside this process (PGlite) with its files under `dataDir`, behind a Unix socket in
 * that directory. The driver and the SQL are the same as with a server, and there is no port that
 * other users of the machine could reach.
 *
 * @throws OperatorError when another process has the directory, or the database cannot be opened
 */
export async function openEmbedded(dataDir: string): Promise<Embedded> {
  const { lockPath, socketPath } = pathsIn(dataDir)
  await makePrivateDirectory(dataDir)
  const lock = await takeLock(lockPath)
  if (!lock) {
    throw new OperatorError(
      `the data directory ${dataDir} is in use by another process: stop it, or set DATA_DIR`,
    )
  }

  const directory = join(dataDir, 'postgres')
  await unpackDatabase(directory)
  const database = await openDatabase(directory)
  await unlink(socketPath).catch(() => undefined)
  const { PGLiteSocketServer } = await import('@electric-sql/pglite-socket')
  const server = new PGLiteSocketServer({ db: database, path: socketPath, maxConnections: MAX_CONNECTIONS })
  await server.start()

  return { address: { socketPath }, close }

  async function close(): Promise<void> {
    await server.stop()
    await database.close()
    await new Promise((resolve) => lock?.close(resolve))
  }
}

/** @throws OperatorError when no service has made data here */
export function requireEmbeddedData(dataDir: string): void {
  if (existsSync(join(dataDir, 'postgres'))) return
  throw new OperatorError(
    'DATABASE_URL and REDIS_URL are not set, and no embedded service has run here: set both, ' +
      `or set DATA_DIR (${dataDir} holds no data)`,
  )
}

async function openDatabase(directory: string): Promise<PGlite> {
  tuneV8ForPGlite()
  // Imported lazily: with external stores, the start must not wait for PGlite.
  const [{ PGlite }, fs] = await Promise.all([import('@electric-sql/pglite'), syncedFiles(directory)])
  const startParams = [...PGlite.defaultStartParams, ...SETTINGS.flatMap((setting) => ['-c', setting])]
  try {
    return await PGlite.create({ fs, startParams })
  } catch (error) {
    const [reason] = (error as Error).message.split('\n')
    throw new OperatorError(`the database in ${directory} is damaged or of another version: ${reason}`)
  }
}

/**
 * The database of the process that has `dataDir` open, for a command that runs beside it. Undefined
 * when no process has it open.
 */
export async function joinEmbedded(dataDir: string): Promise<Embedded | undefined> {
  const { lockPath, socketPath } = pathsIn(dataDir)
  if (!(await isListening(lockPath))) return undefined
  return { address: { socketPath }, close: async () => undefined }
}
