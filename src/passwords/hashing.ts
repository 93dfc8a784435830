import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { createTally } from '../logs/tally.js'
import { CODE_FOLDER } from '../package-folder.js'
import { ComparedTooLate, NotHashed, Unavailable } from '../refusals/refusal.js'
import { costOf, decoyHash } from './bcrypt-cost.js'
import { type Claim, type Claimant, createFairQueue } from './fair-queue.js'
import { createNotice } from './give-way.js'
import type { PasswordJob, PasswordResult, PasswordWorkerData } from './password-worker.js'

/**
 * Work that may wait for a thread, in milliseconds of hashing. More would only make every answer
 * late.
 */
const MAX_QUEUE_MS = 1000

/** A job whose result is awaited until `end`. */
interface QueuedJob extends Claim {
  job: PasswordJob
  end: number
  resolve: (result: PasswordResult) => void
  reject: (error: Unavailable) => void
  /** Set when the job begins. */
  result?: Promise<PasswordResult>
}

/** What hashing needs from a logger. */
export interface HashingLog {
  warn(message: string): void
}

export type Hashing = ReturnType<typeof createHashing>

/**
 * Worker threads that run bcrypt, so that the event loop stays free. Networks and accounts share
 * them: see {@link createFairQueue}.
 *
 * Every `end` is a moment of performance.now() after which nobody waits for the result. A job that
 * has not begun by then is not hashed.
 *
 * @param processes how many processes share the cores. One core is left to their event loops.
 * @param log is told now and then how many passwords were not hashed in time, and why.
 */
export function createHashing(processes: number, log?: HashingLog) {
  const threads = Math.max(1, Math.floor((availableParallelism() - 1) / processes))
  // Work is counted in rounds of bcrypt, 2^cost. The first value is that of a server core of the
  // 2020s, 85 ms at cost 10. Each job corrects it.
  let msPerRound = 85 / 2 ** 10

  const { notice, giveWay } = createNotice()
  const queue = createFairQueue<QueuedJob>(() => (MAX_QUEUE_MS * threads) / msPerRound)
  let pool: Piscina<PasswordJob, PasswordResult> | undefined
  let closed = false
  const shed = createTally((counts) => {
    const cure = 'to hash more, use more cores (WEB_CONCURRENCY processes) or a lower BCRYPT_COST'
    log?.warn(`passwords were not hashed: ${counts}; their logins failed as temporarily_unavailable; ${cure}`)
  })

  return { keepRoom, work, msAt, giveWay, warmUp, close }

  /**
   * Keeps room in the queue for an operation that does other work before the hashing, as long as
   * that work takes. Many that begin at once would otherwise all find the queue empty, and do the
   * other work in vain.
   *
   * @param rounds of bcrypt that it will take.
   * @returns a function that gives the room back: when the hashing begins, or does not.
   * @throws NotHashed when the queue has no room for this claimant.
   */
  function keepRoom({ account, network }: Claimant, rounds: number): () => void {
    const claim = { account, network, work: rounds }
    if (!queue.expect(claim)) throw counted(new NotHashed('hashing queue is full'))
    return () => queue.forget(claim)
  }

  /** Counts a refusal of lacking capacity for the log. */
  function counted<R extends Unavailable>(refusal: R): R {
    shed.count(String(refusal.reason))
    return refusal
  }

  /** How long a comparison at this cost takes here, in milliseconds. */
  function msAt(cost: number): number {
    return 2 ** cost * msPerRound
  }

  /** Starts every thread and waits until it runs, so that the first login does not. */
  async function warmUp(): Promise<void> {
    const cheap: PasswordJob = { compare: { password: '', hashes: [decoyHash(4)] } }
    await Promise.all(Array.from({ length: threads }, () => startedPool().run(cheap)))
  }

  async function close(): Promise<void> {
    closed = true
    for (let next = queue.shift(); next; next = queue.shift()) next.reject(new NotHashed('hashing has ended'))
    shed.end()
    await pool?.destroy()
  }

  /**
   * Runs a job when its turn comes.
   *
   * @throws NotHashed when the queue has no room, or the turn did not come in time.
   * @throws ComparedTooLate when the job began and did not finish in time. It carries the outcome.
   * @throws Unavailable when hashing failed.
   */
  async function work(job: PasswordJob, claimant: Claimant, end: number): Promise<PasswordResult> {
    if (closed) throw new NotHashed('hashing has ended')
    let timer: NodeJS.Timeout | undefined
    const result = new Promise<PasswordResult>((resolve, reject) => {
      const queued = { ...claimant, work: roundsOf(job), job, end, resolve, reject }
      timer = setTimeout(() => giveUp(queued), Math.max(0, end - performance.now()))
      for (const refused of queue.push(queued))
        refused.reject(counted(new NotHashed('hashing queue is full')))
      beginNext()
    })
    return result.finally(() => clearTimeout(timer))
  }

  function giveUp(queued: QueuedJob): void {
    queue.remove(queued)
    const { result } = queued
    if (!result) {
      queued.reject(counted(new NotHashed('no turn in time')))
      return
    }
    const outcome = result.then(({ matches }) => matches)
    // Nobody may be waiting for it: no unhandled rejection.
    outcome.catch(() => undefined)
    queued.reject(counted(new ComparedTooLate(outcome)))
  }

  function beginNext(): void {
    while (queue.running() < threads) {
      const next = queue.shift()
      if (!next) return
      void run(next)
    }
  }

  async function run(queued: QueuedJob): Promise<void> {
    const { job, end, resolve, reject } = queued
    // A busy event loop fires timers late.
    if (performance.now() >= end) reject(counted(new NotHashed('no turn in time')))
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

  /** Threads start with the first job: most commands have none. */
  function startedPool() {
    pool ??= new Piscina({
      // The worker is TypeScript in src and JavaScript after the build, as this file is.
      filename: fileURLToPath(new URL(`passwords/password-worker${extname(import.meta.url)}`, CODE_FOLDER)),
      minThreads: threads,
      maxThreads: threads,
      recordTiming: false,
      workerData: { notice } satisfies PasswordWorkerData,
    })
    return pool
  }
}

/** The rounds of a job: of all its hashes, or of the first one alone if that matched. */
function roundsOf(job: PasswordJob, { matches } = { matches: false }): number {
  if ('hash' in job) return 2 ** job.hash.cost
  const { hashes } = job.compare
  return (matches ? hashes.slice(0, 1) : hashes).reduce((sum, hash) => sum + 2 ** costOf(hash), 0)
}
