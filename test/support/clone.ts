import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { type Running, spawnProgram, temporaryDirectory } from './service-process.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A new clone of this repository: what is not committed is not there. */
export function cloneProject(): string {
  const clone = join(temporaryDirectory(), 'auth-service')
  execFileSync('git', ['clone', '--quiet', ROOT, clone], { stdio: 'pipe' })
  return clone
}

/**
 * Runs commands in a folder as a newcomer types them, until one fails. What they have started ends
 * with the test.
 */
export function startCommands(
  t: Test,
  commands: string,
  options: { cwd: string; env: NodeJS.ProcessEnv; stdin?: string },
): Running {
  const running = spawnProgram('sh', ['-e', '-c', commands], { ...options, ownSession: true })
  t.teardown(() => endGroup(running.pid))
  return running
}

/** Rejects with what a program wrote when it ends. */
export async function failureOf(program: Running): Promise<never> {
  const { code, stderr } = await program.exited
  throw new Error(`ended with ${code}: ${stderr}`)
}

/** Ends all processes of a session that a test has started. */
export function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
