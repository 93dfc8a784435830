import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { freePort, reachable, requireProgram, until } from '../servers.js'
import { temporaryDirectory } from '../service-process.js'
import type { Platform } from './platform.js'

const EXAMPLES = fileURLToPath(new URL('../../../examples', import.meta.url))

/** How long a gateway may take to end before it is killed, in milliseconds. */
const STOP_LIMIT_MS = 5000

export interface Gateway {
  url: string
}

interface Options {
  /** The folder in examples/. */
  example: string
  program: string
  args: (directory: string) => string[]
  env?: NodeJS.ProcessEnv
  /** Breaks something in the files of the example. */
  edit?: (text: string) => string
}

/** Runs the real program with its example, of which only the three common addresses change. */
export async function startGateway(
  t: Test,
  { line, app }: Pick<Platform, 'line' | 'app'>,
  { example, program, args, env = {}, edit = (text) => text }: Options,
): Promise<Gateway> {
  const port = await freePort()
  const directory = copyExample(example, { 8080: port, 3000: line.port, 9000: app.port }, edit)
  const child = spawn(requireProgram(program), args(directory), {
    cwd: directory,
    env: { PATH: process.env.PATH, HOME: directory, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: workers end with it even where the test is cut off.
    detached: true,
  })
  const kill = () => signal(child.pid, 'SIGKILL')
  process.once('exit', kill)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  const ended = once(child, 'exit')
  t.teardown(async () => {
    if (!t.passing()) t.comment(output)
    signal(child.pid, 'SIGTERM')
    const impatient = setTimeout(kill, STOP_LIMIT_MS)
    await ended
    clearTimeout(impatient)
    process.off('exit', kill)
  })
  await Promise.race([
    until(() => reachable(port), { withinMs: 10_000 }),
    ended.then(() => {
      throw new Error(`${program} ended before it listened: ${output}`)
    }),
  ])
  return { url: `http://127.0.0.1:${port}` }
}

/** A copy of an example with other ports. */
function copyExample(example: string, ports: Record<number, number>, edit: (text: string) => string): string {
  const directory = temporaryDirectory('auth-gateway-')
  // Workers that give up the rights of root must read it, too.
  chmodSync(directory, 0o755)
  cpSync(`${EXAMPLES}/${example}`, directory, { recursive: true })
  for (const name of readdirSync(directory)) {
    const text = readFileSync(`${directory}/${name}`, 'utf8')
    const replaced = text.replace(
      /\b127\.0\.0\.1:(8080|3000|9000)\b/g,
      (_, port) => `127.0.0.1:${ports[port]}`,
    )
    writeFileSync(`${directory}/${name}`, edit(replaced))
  }
  return directory
}

function signal(group: number | undefined, name: NodeJS.Signals): void {
  // Without an id the program was never started, and 0 would be the group of the tests.
  if (group === undefined) return
  try {
    process.kill(-group, name)
  } catch {
    // The group has ended already.
  }
}
