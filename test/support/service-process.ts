import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { expectDocumentedFrom } from './documented.js'
import { freePort, until } from './servers.js'

/** The built command line: what an operator runs, not what the tests import. */
export const CLI = fileURLToPath(new URL('../../dist/auth-service.js', import.meta.url))

/** How long a process may take to end after a signal before it is killed, in milliseconds. */
const STOP_LIMIT_MS = 20_000

/** How a process ended, and all that it wrote. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** A running process. `stdout` and `stderr` give what it has written so far. */
export interface Running {
  pid: number
  stdout: () => string
  stderr: () => string
  exited: Promise<Exit>
  /** Writes to standard input, which must have stayed open. */
  type(text: string | Uint8Array): void
  /** Sends a signal and waits for the end. A process that ignores the signal is killed. */
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

/** A process of the service that listens. */
export interface ServiceProcess extends Running {
  url: string
  port: number
}

export interface SpawnOptions {
  /** The whole environment except PATH: the process inherits no other variable. */
  env?: NodeJS.ProcessEnv
  /** A temporary directory unless given, so that nothing is written into the project. */
  cwd?: string
  /** Sent to standard input, which then ends unless it stays open for `type`. */
  stdin?: string | Uint8Array
  stdinStaysOpen?: boolean
  /** In a session of its own, as under a service manager: no signal to the tests reaches it. */
  ownSession?: boolean
}

/** A temporary directory that is removed when this process ends. */
export function temporaryDirectory(prefix = 'auth-'): string {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  leftovers.add(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Starts `auth-service <args>` and lets it run. */
export function spawnCli(args: string[], options: SpawnOptions = {}): Running {
  return spawnProgram(process.execPath, [CLI, ...args], options)
}

/** Starts any program in the same clean environment. */
export function spawnProgram(
  program: string,
  args: string[],
  { env = {}, cwd, stdin = '', stdinStaysOpen = false, ownSession = false }: SpawnOptions = {},
): Running {
  // tap passes a loader in NODE_OPTIONS to every child, which changes even the exit code of some.
  const child = spawn('env', ['-u', 'NODE_OPTIONS', program, ...args], {
    cwd: cwd ?? workDirectory(),
    env: { PATH: process.env.PATH, ...env },
    detached: ownSession,
  })
  const written = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => (written.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (written.stderr += text))
  // A program may end without reading its input.
  child.stdin.on('error', () => undefined)
  child.stdin.write(stdin)
  if (!stdinStaysOpen) child.stdin.end()

  const kill = () => void child.kill('SIGKILL')
  leftovers.add(kill)
  // 'close', not 'exit': only then all output has been read.
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      leftovers.delete(kill)
      resolve({ code, signal, ...written })
    })
  })
  return {
    pid: child.pid ?? 0,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    exited,
    type: (text) => void child.stdin.write(text),
    stop,
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    child.kill(signal)
    const impatient = setTimeout(kill, STOP_LIMIT_MS)
    return exited.finally(() => clearTimeout(impatient))
  }
}

/** Runs `auth-service <args>` to its end. */
export function runCli(
  args: string[],
  env: NodeJS.ProcessEnv = {},
  stdin: string | Uint8Array = '',
): Promise<Exit> {
  return spawnCli(args, { env, stdin }).exited
}

/** Starts the service on a free port, and stops it with the test. @throws when it ends earlier */
export async function startService(t: Test, options: SpawnOptions = {}): Promise<ServiceProcess> {
  const port = Number(options.env?.PORT ?? (await freePort()))
  const running = spawnCli(['serve'], { ...options, env: { ...options.env, PORT: String(port) } })
  t.teardown(() => running.stop())
  const url = `http://127.0.0.1:${port}`
  expectDocumentedFrom(url)
  await Promise.race([
    until(() => isAlive(url), { withinMs: 70_000 }),
    running.exited.then(({ code, signal, stderr }) => {
      throw new Error(`the service ended with ${code ?? signal} before it listened: ${stderr}`)
    }),
  ])
  return { ...running, url, port }
}

async function isAlive(url: string): Promise<void> {
  const { status } = await fetch(`${url}/livez`)
  if (status !== 200) throw new Error(`livez: ${status}`)
}

/** One directory for all commands without `cwd`, which write only a log there. */
function workDirectory(): string {
  shared = shared ?? temporaryDirectory()
  return shared
}

let shared: string | undefined

/** For tests that end without their teardown, for example by a timeout. */
const leftovers = new Set<() => void>()
process.once('exit', () => {
  for (const remove of leftovers) remove()
})

/** The resident memory of a process, including shared libraries. */
export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** Makes Ctrl-C run the exit handlers of this process, which end and remove what it has left. */
export function endOnSignals(): void {
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
}
