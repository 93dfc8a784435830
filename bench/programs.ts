import { fileURLToPath } from 'node:url'
import { freePort, until } from '../test/support/servers.js'
import {
  CLI,
  endOnSignals,
  type Running,
  residentBytes,
  spawnProgram,
} from '../test/support/service-process.js'

/** A program under test, which listens. */
export interface Program extends Running {
  url: string
  /** Milliseconds from its start to its first answer. */
  startMs: number
  /** Resident memory in bytes. */
  memory(): number
}

// A process in a session of its own does not receive Ctrl-C.
endOnSignals()

/** Starts the service. `nodeArgs` come before the program. */
export function startService(
  env: NodeJS.ProcessEnv,
  nodeArgs: string[] = [],
  program = CLI,
): Promise<Program> {
  return start([...nodeArgs, program, 'serve'], {
    USER_ACTION_LOG: '/dev/null',
    ...env,
  })
}

/** Starts the service without the bundle, so that a profile shows the file of each function. */
export function startInFiles(env: NodeJS.ProcessEnv, nodeArgs: string[]): Promise<Program> {
  return startService(env, nodeArgs, fileURLToPath(new URL('../dist/cli.js', import.meta.url)))
}

/** Starts one of the programs that the service is compared with. */
export function startBaseline(
  name: 'bare' | 'textbook',
  env: NodeJS.ProcessEnv,
  nodeArgs: string[] = [],
): Promise<Program> {
  const file = fileURLToPath(new URL(`./baselines/${name}.ts`, import.meta.url))
  return start([...nodeArgs, '--import', 'tsx', file], env)
}

async function start(args: string[], env: NodeJS.ProcessEnv): Promise<Program> {
  const port = await freePort()
  const began = performance.now()
  const root = fileURLToPath(new URL('..', import.meta.url))
  const running = spawnProgram(process.execPath, args, {
    cwd: root,
    env: { ...env, PORT: String(port) },
    // Linux shares the cores among sessions, and a priority counts only within its session
    // (sched(7)). Each backend of PostgreSQL has a session. In the session of the busy load
    // generator, the low priority of the hashing threads would not favour PostgreSQL.
    ownSession: true,
  })
  const url = `http://127.0.0.1:${port}`
  await Promise.race([
    until(async () => void (await fetch(url)), { withinMs: 30_000 }),
    running.exited.then(({ stderr }) => {
      throw new Error(`a program ended before it listened: ${stderr}`)
    }),
  ])
  return { ...running, url, startMs: performance.now() - began, memory: () => residentBytes(running.pid) }
}
