import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, appendFileSync, chownSync, constants, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import {
  childrenOf,
  endWithThisProcess,
  freePort,
  requireProgram,
  unprivilegedUser,
  until,
} from '../support/servers.js'

/** A store whose process can be killed, hung and started again on the same port. */
export interface RestartableStore {
  url: string
  port: number
  directory: string
  start(extraArgs?: string[]): Promise<void>
  /** Ends it without letting it finish anything (SIGKILL). */
  kill(): Promise<void>
  /** Stops all its processes (SIGSTOP), until `resume`. */
  hang(): void
  resume(): void
  dispose(): Promise<void>
}

/** Addresses of the network namespaces that the harness makes. */
export const TEST_NETWORK = '10.231.7.0/24'

/** A file system in memory, used where it has room. */
const MEMORY = '/dev/shm'
const ROOM_BYTES = 2 ** 30

/**
 * A directory for the files of a store, in memory if possible. The files of whole clusters come and
 * go here. A disk that writes them back halts a store for a quarter of a second or more, seconds
 * after the fault that is judged.
 */
function newDirectory(prefix: string): string {
  return mkdtempSync(join(hasRoom(MEMORY) ? MEMORY : tmpdir(), prefix))
}

function hasRoom(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize >= ROOM_BYTES
  } catch {
    return false
  }
}

/** A Redis without persistence: its data dies with its process, unless a row saves it. */
export async function createRedisServer(args: string[] = []): Promise<RestartableStore> {
  const port = await freePort()
  const directory = newDirectory('auth-faults-redis-')
  const options = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--save', '', ...args]
  const url = `redis://127.0.0.1:${port}`
  return restartable({
    url,
    port,
    directory,
    launch: (extra) => spawn(requireProgram('redis-server'), [...options, ...extra], { stdio: 'ignore' }),
    answers: async () => {
      const client = new Redis(url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 })
      client.on('error', () => undefined)
      try {
        await client.connect()
      } finally {
        client.disconnect()
      }
    },
  })
}

/** A PostgreSQL whose commits survive the death of its processes, but not of the machine (-F). */
export async function createPostgresServer(args: string[] = []): Promise<RestartableStore> {
  const port = await freePort()
  const directory = newDirectory('auth-faults-postgres-')
  const as = unprivilegedUser()
  if (as) chownSync(directory, as.uid, as.gid)
  const data = join(directory, 'data')
  const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  execFileSync(requireProgram('initdb'), init, { stdio: 'ignore', cwd: directory, ...as })
  // For the row that puts a network between the service and its stores.
  appendFileSync(join(data, 'pg_hba.conf'), `host all all ${TEST_NETWORK} trust\n`)
  const options = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', directory, '-F', ...args]
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  return restartable({
    url,
    port,
    directory,
    launch: (extra) =>
      spawn(requireProgram('postgres'), [...options, ...extra], { stdio: 'ignore', cwd: directory, ...as }),
    answers: async () => {
      const sql = postgres(url, { max: 1, connect_timeout: 1 })
      await sql`select 1`.finally(() => sql.end({ timeout: 0 }))
    },
    // Children first: they would finish their work if the postmaster died before them.
    killAll: (pid) => {
      for (const each of [...childrenOf(pid), pid]) signalTo(each, 'SIGKILL')
    },
  })
}

/**
 * Copies the files of a stopped PostgreSQL, so that they can be restored. Asynchronous: load
 * clients work meanwhile.
 */
export async function snapshot({ directory }: RestartableStore): Promise<{ restore(): Promise<void> }> {
  const [data, copy] = [join(directory, 'data'), join(directory, 'copy')]
  await promisify(execFile)('cp', ['-a', data, copy])
  return {
    async restore() {
      await rm(data, { recursive: true })
      await rename(copy, data)
    },
  }
}

interface Parts {
  url: string
  port: number
  directory: string
  launch(extraArgs: string[]): ChildProcess
  answers(): Promise<void>
  killAll?(pid: number): void
}

function restartable({ url, port, directory, launch, answers, killAll }: Parts): RestartableStore {
  let child: ChildProcess | undefined
  return {
    url,
    port,
    directory,
    start,
    kill,
    hang: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    dispose,
  }

  async function start(extraArgs: string[] = []): Promise<void> {
    child = endWithThisProcess(launch(extraArgs))
    await until(answers, { withinMs: 20_000 })
  }

  async function kill(): Promise<void> {
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    if (killAll) killAll(child.pid)
    else child.kill('SIGKILL')
    await ended
  }

  function signal(name: NodeJS.Signals): void {
    if (!child?.pid) return
    for (const pid of [...childrenOf(child.pid), child.pid]) signalTo(pid, name)
  }

  async function dispose(): Promise<void> {
    await kill()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Signals a process. A backend that has ended meanwhile needs no signal. */
function signalTo(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
