import { constants, setPriority } from 'node:os'
import { workerData } from 'node:worker_threads'
import { compareSync, hashSync } from 'bcryptjs'
import { clockThatGivesWay } from './give-way.js'

// Linux gives every thread a priority of its own: where cores are short, hashing waits for the event loop and never the
// other way round. Elsewhere the call would slow down the whole process.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

// bcryptjs asks for the time after each of its rounds, of which it makes a dozen in a millisecond: nothing else in this thread
// could pause it. test/passwords/give-way.test.ts sees to it that it still asks.
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
  /** How long the work took, in milliseconds: what the next one in the queue will have to wait. */
  ms: number
}

/**
 * Runs in a thread of its own: bcryptjs blocks for the whole of its work. Comparing goes through the hashes in
 * order and answers whether the first one matched; the others are there for the time that they take.
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
