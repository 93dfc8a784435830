import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  chownSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { createServer, connect as openSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'

/** A server that a test has started, by its process. */
export interface Server {
  url: string
  port: number
  process: ChildProcess
  stop(): Promise<void>
}

/** Servers that must not outlive a run that is interrupted. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Ends a server no later than this process. */
export function endWithThisProcess(child: ChildProcess): ChildProcess {
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** A port on which nothing listens now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Waits until `ready` no longer throws. @throws its last error when the time is up */
export async function until<T>(ready: () => Promise<T> | T, { withinMs = 10_000 } = {}): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    try {
      return await ready()
    } catch (error) {
      if (performance.now() > end) throw error
      await sleep(10)
    }
  }
}

/** Starts a Redis of the test's own, without persistence. */
export async function startRedis({
  port,
  args = [],
}: {
  port?: number
  args?: string[]
} = {}): Promise<Server> {
  const chosen = port ?? (await freePort())
  const directory = mkdtempSync(join(tmpdir(), 'auth-redis-'))
  const options = ['--bind', '127.0.0.1', '--port', String(chosen), '--dir', directory, '--save', '', ...args]
  const child = endWithThisProcess(spawn(requireProgram('redis-server'), options, { stdio: 'ignore' }))
  await until(() => reachable(chosen))
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    process: child,
    stop: () => end(child, directory),
  }
}

/** Starts a PostgreSQL of the test's own, without fsync. */
export async function startPostgres({ args = [] }: { args?: string[] } = {}): Promise<Server> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'auth-postgres-'))
  const as = unprivilegedUser()
  if (as) chownSync(directory, as.uid, as.gid)
  const data = join(directory, 'data')
  execFileSync(
    requireProgram('initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { stdio: 'ignore', cwd: directory, ...as },
  )
  const options = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', directory, '-F']
  const child = endWithThisProcess(
    spawn(requireProgram('postgres'), [...options, ...args], { stdio: 'ignore', cwd: directory, ...as }),
  )
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  await until(async () => {
    const sql = postgres(url, { max: 1, connect_timeout: 1 })
    await sql`select 1`.finally(() => sql.end({ timeout: 0 }))
  })
  return { url, port, process: child, stop: () => end(child, directory, 'SIGINT') }
}

/** The processes that a process has started. */
export function childrenOf(pid: number): number[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return processes.map(Number).filter((candidate) => parentOf(candidate) === pid)
}

/** PostgreSQL has a process per connection: the signal goes to all of them. */
export function signalAll({ process: { pid = 0 } }: Server, signal: NodeJS.Signals): void {
  for (const id of [pid, ...childrenOf(pid)]) process.kill(id, signal)
}

function parentOf(pid: number): number | undefined {
  try {
    // The name in parentheses may hold anything; the parent is the second field after it.
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1])
  } catch {
    return undefined
  }
}

/** Where Debian keeps Apache modules, and daemons, which only the PATH of root includes. */
const SYSTEM = ['/usr/sbin', '/usr/lib/apache2/modules']

/** The path of a program or an Apache module, undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const versions = '/usr/lib/postgresql'
  const debian = existsSync(versions)
    ? readdirSync(versions).map((version) => join(versions, version, 'bin'))
    : []
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM, ...debian.reverse()]
  return directories.map((directory) => join(directory, name)).find(isUsable)
}

export function requireProgram(name: string): string {
  const path = findProgram(name)
  if (!path) throw new Error(`${name} is not installed: run npm test, which installs it or says how to`)
  return path
}

/** The path of a Python that has all these modules, or undefined. A machine may have several. */
export function findPython(modules: readonly string[]): string | undefined {
  const candidates = ['python3', '/usr/bin/python3']
  const program = `import sys, ${modules.join()}; print(sys.executable)`
  return candidates
    .map((python) => spawnSync(python, ['-c', program], { encoding: 'utf8' }))
    .find(({ status }) => status === 0)
    ?.stdout.trim()
}

function isUsable(path: string): boolean {
  try {
    accessSync(path, path.endsWith('.so') ? constants.R_OK : constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** PostgreSQL refuses to run as root, so it runs as the user of its package. */
export function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

export async function end(
  child: ChildProcess,
  directory: string,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill('SIGCONT')
    child.kill(signal)
    const impatient = setTimeout(() => child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(impatient)
  }
  rmSync(directory, { recursive: true, force: true })
}

export function reachable(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}
