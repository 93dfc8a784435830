import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { OperatorError } from '../errors.js'
import { textOf } from '../utf8.js'
import type { PostgresAddress } from './postgres.js'

/** Unix socket paths are cut off near this length (sun_path holds 104 bytes on macOS, 108 on Linux). */
const MAX_SOCKET_PATH_BYTES = 100

/** The service itself, and commands that are run beside it. */
const MAX_CONNECTIONS = 8

export interface Embedded {
  address: PostgresAddress
  close(): Promise<void>
}

/**
 * PostgreSQL inside this process (PGlite) with its files under `dataDir`, behind a Unix socket in that directory:
 * the same driver and the same SQL as with a server, and no port that other users of the machine could reach.
 *
 * @throws OperatorError when another process has the directory.
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

  const database = await openDatabase(join(dataDir, 'postgres'))
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

async function openDatabase(directory: string): Promise<PGlite> {
  // Loaded here, because who has stores of their own need not wait for it.
  const { PGlite } = await import('@electric-sql/pglite')
  try {
    return await PGlite.create(directory)
  } catch (error) {
    const [reason] = (error as Error).message.split('\n')
    throw new OperatorError(`the database in ${directory} is damaged or of another version: ${reason}`)
  }
}

/** The database of the process that has `dataDir` open now, for a command run beside it; undefined when none has. */
export async function joinEmbedded(dataDir: string): Promise<Embedded | undefined> {
  const { lockPath, socketPath } = pathsIn(dataDir)
  if (!(await isListening(lockPath))) return undefined
  return { address: { socketPath }, close: async () => undefined }
}

/** The signing key of this data directory, made at its first use. */
export async function embeddedSecret(dataDir: string): Promise<string> {
  const path = join(dataDir, 'jwt_secret')
  await makePrivateDirectory(dataDir)
  await writeFile(path, randomBytes(48).toString('base64'), { flag: 'wx', mode: 0o600 }).catch(ignoreExisting)
  const secret = textOf(await readFile(path))
  if (secret === undefined) throw new OperatorError(`the signing key in ${path} is not UTF-8`)
  return secret
}

function pathsIn(dataDir: string) {
  // Relative to the working directory where that is shorter: socket paths are limited.
  const shortest =
    [dataDir, relative(process.cwd(), dataDir) || '.'].sort((a, b) => a.length - b.length)[0] ?? dataDir
  const paths = { lockPath: join(shortest, 'lock.sock'), socketPath: join(shortest, 'postgres.sock') }
  if (Buffer.byteLength(paths.socketPath) > MAX_SOCKET_PATH_BYTES) {
    throw new OperatorError(`DATA_DIR: ${dataDir} is too long a path for a Unix socket: choose a shorter one`)
  }
  return paths
}

async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o700)
  } catch (error) {
    throw new OperatorError(`DATA_DIR: cannot use ${path} (${(error as NodeJS.ErrnoException).code})`)
  }
}

/**
 * Holds a listening socket as a lock: the kernel gives it up when the process dies, however it dies, and nothing
 * has to guess whether a process id of yesterday is still the same process.
 */
async function takeLock(path: string): Promise<Server | undefined> {
  if (await isListening(path)) return undefined
  await unlink(path).catch(() => undefined)
  const server = createServer((socket) => socket.end())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(path, () => resolve(server.unref()))
  })
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
