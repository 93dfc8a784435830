import { chmod, mkdir, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, relative } from 'node:path'
import { OperatorError } from '../../refusals/operator-error.js'

/** Unix socket paths are cut off near this length (sun_path holds 104 bytes on macOS, 108 on Linux). */
const MAX_SOCKET_PATH_BYTES = 100

/** The sockets in a data directory. @throws OperatorError when its path is too long for them. */
export function pathsIn(dataDir: string) {
  // Relative to the working directory where that is shorter: socket paths are limited.
  const shortest =
    [dataDir, relative(process.cwd(), dataDir) || '.'].sort((a, b) => a.length - b.length)[0] ?? dataDir
  const paths = { lockPath: join(shortest, 'lock.sock'), socketPath: join(shortest, 'postgres.sock') }
  if (Buffer.byteLength(paths.socketPath) > MAX_SOCKET_PATH_BYTES) {
    throw new OperatorError(`DATA_DIR: ${dataDir} is too long a path for a Unix socket: choose a shorter one`)
  }
  return paths
}

/** Makes a directory for this user alone. @throws OperatorError when that is not possible. */
export async function makePrivateDirectory(path: string): Promise<void> {
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

/** Whether a process has this socket open. */
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
