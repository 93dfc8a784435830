import { chmod, mkdir, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import { OperatorError } from '../../refusals/operator-error.js'

/** Longest path of a Unix socket: sun_path holds 104 bytes on macOS, 108 on Linux. */
const MAX_SOCKET_PATH_BYTES = 100

/** The socket paths in a data directory. @throws OperatorError when they are too long */
export function pathsIn(dataDir: string) {
  // Socket paths are limited: use the path relative to the working directory where that is shorter.
  const shortest =
    [dataDir, relative(process.cwd(), dataDir) || '.'].sort((a, b) => a.length - b.length)[0] ?? dataDir
  const paths = { lockPath: join(shortest, 'lock.sock'), socketPath: join(shortest, 'postgres.sock') }
  if (Buffer.byteLength(paths.socketPath) > MAX_SOCKET_PATH_BYTES) {
    throw new OperatorError(`DATA_DIR: ${dataDir} is too long a path for a Unix socket: choose a shorter one`)
  }
  return paths
}

/** Makes a directory that only this user can access. @throws OperatorError when that fails */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o700)
  } catch (error) {
    throw new OperatorError(`DATA_DIR: cannot use ${path} (${(error as NodeJS.ErrnoException).code})`)
  }
}

/**
 * Takes a lock by listening on a Unix socket; undefined if another process holds it. The kernel
 * releases the lock however the process dies. A lock file would name a process id, which another
 * process may have by then.
 */
export async function takeLock(path: string): Promise<Server | undefined> {
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

/** Whether a process listens on this socket. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
