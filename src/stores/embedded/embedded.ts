import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, mkdir, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import type { PGlite } from '@electric-sql/pglite'
import { OperatorError } from '../../refusals/operator-error.js'
import { isStrongSecret } from '../../secrets/signing-secret.js'
import { textOf } from '../../text/utf8.js'
import { writeNewFile } from '../../tokens/keys/new-file.js'
import type { PostgresAddress } from '../postgres/address.js'
import { unpackDatabase } from './first-start.js'
import { syncedFiles } from './synced-files.js'

/** Unix socket paths are cut off near this length (sun_path holds 104 bytes on macOS, 108 on Linux). */
const MAX_SOCKET_PATH_BYTES = 100

/** The service itself, and commands that are run beside it. */
const MAX_CONNECTIONS = 8

/** Where PGlite's own would not do: it takes 128 MB for pages, and waits for no disk. */
const SETTINGS = ['shared_buffers=8MB', 'fsync=on', 'wal_sync_method=fsync']

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

async function openDatabase(directory: string): Promise<PGlite> {
  // V8 would spend a core and memory on optimising PGlite's code, and checks would be no faster for it.
  setFlagsFromString('--liftoff-only')
  // Loaded here, because who has stores of their own need not wait for it.
  const [{ PGlite }, fs] = await Promise.all([import('@electric-sql/pglite'), syncedFiles(directory)])
  const startParams = [...PGlite.defaultStartParams, ...SETTINGS.flatMap((setting) => ['-c', setting])]
  try {
    return await PGlite.create({ fs, startParams })
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

/** Where embedded mode keeps its signing key. */
export function ownSecretPath(dataDir: string): string {
  return join(dataDir, 'jwt_secret')
}

/**
 * The signing key of this data directory, made at its first use. It is judged as every other key: a
 * file that was damaged or made by hand may hold one that anybody can guess.
 *
 * @throws OperatorError when the file is not in order.
 */
export async function embeddedSecret(dataDir: string): Promise<string> {
  const path = ownSecretPath(dataDir)
  await makePrivateDirectory(dataDir)
  if (!existsSync(path)) makeSecret(path)
  const { secret, problem } = readSecret(path)
  if (problem === undefined) return secret
  throw new OperatorError(
    `the signing key in ${path} ${problem}: restore it, or delete it, and then another one is made and everybody logs in again`,
  )
}

function makeSecret(path: string): void {
  try {
    writeNewFile(path, randomBytes(48).toString('base64'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Another process was first: its key is the key.
    if (code !== 'EEXIST') throw new OperatorError(`DATA_DIR: cannot write ${path} (${code})`)
  }
}

function readSecret(path: string): { secret: string; problem?: string } {
  try {
    if (!statSync(path).isFile()) return { secret: '', problem: 'is not a file' }
    const secret = textOf(readFileSync(path))?.trim()
    if (secret === undefined) return { secret: '', problem: 'is not UTF-8' }
    if (secret === '') return { secret, problem: 'is empty' }
    return isStrongSecret(secret) ? { secret } : { secret, problem: 'is short, or can be guessed' }
  } catch (error) {
    return { secret: '', problem: `cannot be read (${(error as NodeJS.ErrnoException).code})` }
  }
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
