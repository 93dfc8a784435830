import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Type } from '@sinclair/typebox'
import { Piscina } from 'piscina'
import { CODE_FOLDER } from '../package-folder.js'
import { DETAILS, type PasswordField } from '../refusals/messages.js'
import { ComparedTooLate, NotHashed, Refusal, Unavailable } from '../refusals/refusal.js'
import { type Claim, type Claimant, createFairQueue } from './fair-queue.js'
import { createNotice } from './give-way.js'
import type { PasswordJob, PasswordResult, PasswordWorkerData } from './password-worker.js'

/** bcrypt reads 72 bytes and no further, and bcryptjs stops at a NUL (ASVS 6.2.8: no truncation). */
export const MAX_PASSWORD_BYTES = 72

/** The least length of a new password where nothing else protects the account (NIST SP 800-63B-4 §3.1.1.2). */
export const MIN_NEW_PASSWORD_LENGTH = 15

/** A password that is being set, as far as a schema can tell; {@link requireStrong} tells the rest. */
export const NewPassword = Type.String({
  description: `At least ${MIN_NEW_PASSWORD_LENGTH} characters, at most ${MAX_PASSWORD_BYTES} bytes in UTF-8, without NUL, and not easy to guess.`,
  minLength: MIN_NEW_PASSWORD_LENGTH,
  maxLength: MAX_PASSWORD_BYTES,
  examples: ['seven wet umbrellas in a row'],
})

/** Work that may wait for a thread, in milliseconds of hashing. More would only make every answer late. */
const MAX_QUEUE_MS = 1000

/** Highest cost of a stored hash that is computed at all: beyond it one login would hold a thread for many seconds. */
const MAX_STORED_COST = 15

/**
 * How long a refusal may take on behalf of costly hashes of others, in milliseconds: it has to come
 * in time nevertheless.
 */
const MAX_DRAWN_OUT_MS = 1000

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/

/** A job that somebody waits for until `end`, and how they are told of it. */
interface QueuedJob extends Claim {
  job: PasswordJob
  end: number
  resolve: (result: PasswordResult) => void
  reject: (error: Unavailable) => void
  /** Once it has begun. */
  result?: Promise<PasswordResult>
}

export type Passwords = ReturnType<typeof createPasswords>

/**
 * Hashes and compares passwords in worker threads, so that the event loop goes on answering.
 * Networks and accounts share them: see {@link createFairQueue}.
 *
 * A wrong password takes the same time whatever is stored: that of one comparison at the highest
 * cost which is in use, be it that of the setting or one with which a hash was stored elsewhere. A
 * right one takes the time of its own hash, for the answer says that it was right. Left out are
 * costs at which one comparison would take more than a second: a single such hash would have every
 * login wait for so long. It gives itself away instead.
 *
 * Every `end` is a moment of performance.now() after which nobody waits for the result. What has
 * not begun by then is not hashed.
 *
 * @param processes among how many the cores, but the one for event loops, are shared.
 */
export function createPasswords({ cost, processes = 1 }: { cost: number; processes?: number }) {
  const threads = Math.max(1, Math.floor((availableParallelism() - 1) / processes))
  const decoys = Array.from({ length: MAX_STORED_COST + 1 }, (_, decoyCost) => decoyHash(decoyCost))
  const costsInUse = new Set([cost])
  // Work is counted in rounds of bcrypt, 2^cost. Until it is measured: a 2020s server core takes 85
  // ms at cost 10.
  let msPerRound = 85 / 2 ** 10

  const { notice, giveWay } = createNotice()
  const queue = createFairQueue<QueuedJob>(() => (MAX_QUEUE_MS * threads) / msPerRound)
  let pool: Piscina<PasswordJob, PasswordResult> | undefined
  let closed = false

  return { requireRoom, matches, hash, isOutdated, expectCosts, giveWay, warmUp, close }

  /**
   * For whoever has other work to do before the hashing. @throws NotHashed when there is no room in
   * the queue for them.
   */
  function requireRoom(claimant: Claimant): void {
    if (!queue.hasRoomFor(claimant)) throw new NotHashed('hashing queue is full')
  }

  /**
   * Whether the password belongs to the hash. False, after the time of any wrong password, where
   * there is no hash or an unreadable one.
   *
   * @throws NotHashed when there is no room in the queue, or its turn did not come in time.
   * @throws ComparedTooLate when it took too long.
   * @throws Unavailable when it failed.
   */
  async function matches(
    password: string,
    storedHash: string | undefined,
    claimant: Claimant,
    end: number,
  ): Promise<boolean> {
    const readable = storedHash !== undefined && isReadable(storedHash)
    if (readable) costsInUse.add(costOf(storedHash))
    const highest = highestCost()
    // Costs add up: comparing at c, then with decoys of c, c+1, … up to one below the highest,
    // takes 2^highest in all.
    const hashes = readable
      ? [storedHash, ...decoys.slice(costOf(storedHash), highest)]
      : decoys.slice(highest, highest + 1)
    const { matches } = await work({ compare: { password, hashes } }, claimant, end)
    // No password leads to a decoy, but a match with one must never count either.
    return matches && readable
  }

  /** The bcrypt hash of a new password. @throws NotHashed @throws Unavailable */
  async function hash(password: string, claimant: Claimant, end: number): Promise<string> {
    return (await work({ hash: { password, cost } }, claimant, end)).hash
  }

  /** Whether a stored hash is cheaper than the setting asks for, and to be replaced at the next login. */
  function isOutdated(storedHash: string): boolean {
    return costOf(storedHash) < cost
  }

  /** Says beforehand with what costs hashes are stored. */
  function expectCosts(costs: readonly number[]): void {
    for (const stored of costs) if (isComputed(stored)) costsInUse.add(stored)
  }

  /** The cost that a refusal takes the time of. */
  function highestCost(): number {
    const bearable = [...costsInUse].filter((inUse) => 2 ** inUse * msPerRound <= MAX_DRAWN_OUT_MS)
    return Math.max(cost, ...bearable)
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

/**
 * Refuses a password that bcrypt would not read in full. JSON Schema's maxLength counts characters, not bytes,
 * so it cannot do this.
 *
 * @throws Refusal `invalid_request`, naming the field.
 */
export function requireHashable(password: string, field: PasswordField): void {
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    throw new Refusal('invalid_request', { msg: DETAILS.tooManyBytes(field, MAX_PASSWORD_BYTES) })
  }
  if (password.includes('\0')) throw new Refusal('invalid_request', { msg: DETAILS.holdsNul(field) })
}

/** The rules for a password that is being set. @throws Refusal `invalid_request` */
export function requireStrong(password: string, field: PasswordField): void {
  requireHashable(password, field)
  if ([...password].length < MIN_NEW_PASSWORD_LENGTH) {
    throw new Refusal('invalid_request', {
      msg: DETAILS.tooFewCharacters(field, MIN_NEW_PASSWORD_LENGTH),
    })
  }
}

/** A hash of nothing: bcrypt does all its work on it, and no password leads to it. */
function decoyHash(cost: number): string {
  const random = randomBytes(48).toString('base64').replace(/[+=]/g, '.')
  return `$2b$${String(cost).padStart(2, '0')}$${random.slice(0, 53)}`
}

function isReadable(hash: string): boolean {
  return isComputed(costOf(hash))
}

function isComputed(cost: number): boolean {
  return cost >= 4 && cost <= MAX_STORED_COST
}

function costOf(hash: string): number {
  return Number(BCRYPT_HASH.exec(hash)?.[1] ?? Number.NaN)
}

/** The rounds of a job: all of them, or those that were made until it had its result. */
function roundsOf(job: PasswordJob, { matches } = { matches: false }): number {
  if ('hash' in job) return 2 ** job.hash.cost
  const { hashes } = job.compare
  return (matches ? hashes.slice(0, 1) : hashes).reduce((sum, hash) => sum + 2 ** costOf(hash), 0)
}
