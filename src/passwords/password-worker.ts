import { constants, setPriority } from 'node:os'
import { workerData } from 'node:worker_threads'
import { compareSync, hashSync } from 'bcryptjs'
import { clockThatGivesWay } from './give-way.js'

// Linux has a priority per thread: where cores are short, hashing waits for the event loop.
// Elsewhere the call would slow down the whole process.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

// bcryptjs calls Date.now after each of its rounds, about a dozen times per millisecond. Nothing
// else in this thread could pause it. test/passwords/give-way.test.ts checks that it still calls
// it.
Date.now = clockThatGivesWay(workerData as PasswordWorkerData)

export interface PasswordWorkerData {
  notice: Int32Array
}

export type PasswordJob =
  | { compare: { password: string; hashes: readonly string[] } }
  | { hash: { password: string; cost: number } }

export interface PasswordResult {
  matches: boolean
  hash: string
  /** Duration of the work in milliseconds, from which later jobs are estimated. */
  ms: number
}

/**
 * Runs in a worker thread, because bcryptjs blocks for all of its work. A comparison returns
 * whether the first hash matched. The other hashes are compared after a mismatch, for the time that
 * they take.
 */
export default function run(job: PasswordJob): PasswordResult {
  const started = performance.now()
  const result = 'hash' in job ? hash(job.hash) : compare(job.compare)
  return { ...result, ms: performance.now() - started }
}

function hash({ password, cost }: { password: string; cost: number }) {
  return { matches: false, hash: hashSync(password, cost) }
}

function compare({
  password,
  hashes: [stored = '', ...decoys],
}: {
  password: string
  hashes: readonly string[]
}) {
  const matches = compareSync(password, stored)
  if (!matches) for (const decoy of decoys) compareSync(password, decoy)
  return { matches, hash: '' }
}
