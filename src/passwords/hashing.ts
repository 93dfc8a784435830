import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { CODE_FOLDER } from '../package-folder.js'
import { ComparedTooLate, NotHashed, Unavailable } from '../refusals/refusal.js'
import { costOf, decoyHash } from './bcrypt-cost.js'
import { type Claim, type Claimant, createFairQueue } from './fair-queue.js'
import { createNotice } from './give-way.js'
import type { PasswordJob, PasswordResult, PasswordWorkerData } from './password-worker.js'

/** Work that may wait for a thread, in milliseconds of hashing. More would only make every answer late. */
const MAX_QUEUE_MS = 1000

/** A job that somebody waits for until `end`, and how they are told of it. */
interface QueuedJob extends Claim {
  job: PasswordJob
  end: number
  resolve: (result: PasswordResult) => void
  reject: (error: Unavailable) => void
  /** Once it has begun. */
  result?: Promise<PasswordResult>
}

export type Hashing = ReturnType<typeof createHashing>

/**
 * Worker threads that run bcrypt, so that the event loop goes on answering. Networks and accounts
 * share them: see {@link createFairQueue}.
 *
 * Every `end` is a moment of performance.now() after which nobody waits for the result. What has
 * not begun by then is not hashed.
 *
 * @param processes among how many the cores, but the one for event loops, are shared.
 */
export function createHashing(processes: number) {
  const threads = Math.max(1, Math.floor((availableParallelism() - 1) / processes))
  // Work is counted in rounds of bcrypt, 2^cost. Until it is measured: a 2020s server core takes 85
  // ms at cost 10.
  let msPerRound = 85 / 2 ** 10

  const { notice, giveWay } = createNotice()
  const queue = createFairQueue<QueuedJob>(() => (MAX_QUEUE_MS * threads) / msPerRound)
  let pool: Piscina<PasswordJob, PasswordResult> | undefined
  let closed = false

  return { requireRoom, work, msAt, giveWay, warmUp, close }

  /**
   * For whoever has other work to do before the hashing. @throws NotHashed when there is no room in
   * the queue for them.
   */
  function requireRoom(claimant: Claimant): void {
    if (!queue.hasRoomFor(claimant)) throw new NotHashed('hashing queue is full')
  }

  /** How long a comparison at this cost takes here, in milliseconds. */
  function msAt(cost: number): number {
    return 2 ** cost * msPerRound
  }

  /** Waits until every thread runs: the first login should not be the one that waits for them. */
  async function warmUp(): Promise<void> {
    const cheap: PasswordJob = { compare: { password: '', hashes: [decoyHash(4)] } }
    await Promise.all(Array.from({ length: threads }, () => startedPool().run(cheap)))
  }

  async function close(): Promise<void> {
    closed = true
    for (let next = queue.shift(); next; next = queue.shift()) next.reject(new NotHashed('hashing has ended'))
    await pool?.destroy()
  }

  /**
   * @throws NotHashed when there is no room in the queue, or its turn did not come in time.
   * @throws ComparedTooLate when it took too long.
   * @throws Unavailable when it failed.
   */
  async function work(job: PasswordJob, claimant: Claimant, end: number): Promise<PasswordResult> {
    if (closed) throw new NotHashed('hashing has ended')
    let timer: NodeJS.Timeout | undefined
    const result = new Promise<PasswordResult>((resolve, reject) => {
      const queued = { ...claimant, work: roundsOf(job), job, end, resolve, reject }
      timer = setTimeout(() => giveUp(queued), Math.max(0, end - performance.now()))
      for (const shed of queue.push(queued)) shed.reject(new NotHashed('hashing queue is full'))
      beginNext()
    })
    return result.finally(() => clearTimeout(timer))
  }

  function giveUp(queued: QueuedJob): void {
    queue.remove(queued)
    const { result } = queued
    if (!result) {
      queued.reject(new NotHashed('no turn in time'))
      return
    }
    const outcome = result.then(({ matches }) => matches)
    // Not everybody wants to know.
    outcome.catch(() => undefined)
    queued.reject(new ComparedTooLate(outcome))
  }

  /** Gives every idle thread the job whose turn it is. */
  function beginNext(): void {
    while (queue.running() < threads) {
      const next = queue.shift()
      if (!next) return
      void run(next)
    }
  }

  async function run(queued: QueuedJob): Promise<void> {
    const { job, end, resolve, reject } = queued
    // The event loop may have been too busy for its timer.
    if (performance.now() >= end) reject(new NotHashed('no turn in time'))
    else {
      queued.result = compute(job)
      await queued.result.then(resolve, reject)
    }
    queue.finish(queued)
    beginNext()
  }

  async function compute(job: PasswordJob): Promise<PasswordResult> {
    try {
      const result = await startedPool().run(job)
      msPerRound += (result.ms / roundsOf(job, result) - msPerRound) / 8
      return result
    } catch (error) {
      throw new Unavailable(`hashing failed: ${(error as Error).message}`)
    }
  }

  /** Threads start with the first work: most commands have none for them. */
  function startedPool() {
    pool ??= new Piscina({
      // The worker is TypeScript where this file is, and JavaScript after the build.
      filename: fileURLToPath(new URL(`passwords/password-worker${extname(import.meta.url)}`, CODE_FOLDER)),
      minThreads: threads,
      maxThreads: threads,
      recordTiming: false,
      workerData: { notice } satisfies PasswordWorkerData,
    })
    return pool
  }
}

/** The rounds of a job: all of them, or those that were made until it had its result. */
function roundsOf(job: PasswordJob, { matches } = { matches: false }): number {
  if ('hash' in job) return 2 ** job.hash.cost
  const { hashes } = job.compare
  return (matches ? hashes.slice(0, 1) : hashes).reduce((sum, hash) => sum + 2 ** costOf(hash), 0)
}
