import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Type } from '@sinclair/typebox'
import { Piscina } from 'piscina'
import { Refusal, Unavailable } from '../errors.js'
import { DETAILS, type PasswordField } from '../messages.js'
import { CODE_FOLDER } from '../places.js'
import { createNotice } from './give-way.js'
import type { PasswordJob, PasswordResult, PasswordWorkerData } from './password-worker.js'

/** bcrypt reads 72 bytes and no further, and bcryptjs stops at a NUL (ASVS 6.2.8: no truncation). */
export const MAX_PASSWORD_BYTES = 72

/** The least length of a new password where nothing else protects the account (NIST SP 800-63B-4 §3.1.1.2). */
export const MIN_NEW_PASSWORD_LENGTH = 15

/** A password that is being set, as far as a schema can tell; {@link requireStrong} tells the rest. */
export const NewPassword = Type.String({
  description: `At least ${MIN_NEW_PASSWORD_LENGTH} characters, at most ${MAX_PASSWORD_BYTES} bytes in UTF-8, without NUL.`,
  minLength: MIN_NEW_PASSWORD_LENGTH,
  maxLength: MAX_PASSWORD_BYTES,
  examples: ['seven wet umbrellas in a row'],
})

/** Work that may wait for a thread, in milliseconds of hashing. More would only make every answer late. */
const MAX_QUEUE_MS = 1000

/** Highest cost of a stored hash that is computed at all: beyond it one login would hold a thread for many seconds. */
const MAX_STORED_COST = 15

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/

/** Whose work it is: the room in the queue is shared among accounts and networks. */
export interface Claimant {
  account: string
  network: string
}

export type Passwords = ReturnType<typeof createPasswords>

/**
 * Hashes and compares passwords in worker threads, so that the event loop goes on answering.
 *
 * @param processes among how many the cores, but the one for event loops, are shared.
 */
export function createPasswords({ cost, processes = 1 }: { cost: number; processes?: number }) {
  const threads = Math.max(1, Math.floor((availableParallelism() - 1) / processes))
  const decoys = Array.from({ length: cost + 1 }, (_, decoyCost) => decoyHash(decoyCost))
  // Until the first job is measured: what bcryptjs took on a 2020s server core, 85 ms at cost 10.
  let msPerHash = 85 * 2 ** (cost - 10)

  const { notice, giveWay } = createNotice()
  let pool: Piscina<PasswordJob, PasswordResult> | undefined

  return { requireRoom, matches, hash, isOutdated, giveWay, warmUp, close }

  /** For whoever has other work to do before the hashing. @throws Unavailable when a second of work or more is waiting already. */
  function requireRoom(_claimant: Claimant): void {
    const { queueSize } = startedPool()
    if (queueSize * msPerHash >= MAX_QUEUE_MS * threads) throw new Unavailable('hashing queue is full')
  }

  /**
   * Whether the password belongs to the hash. Takes the time of one comparison at the configured cost when
   * it does not, whatever the reason: no such user, an unreadable hash, a hash of lower cost.
   *
   * @throws Unavailable at once when a second of work or more is waiting already.
   */
  async function matches(
    password: string,
    storedHash: string | undefined,
    claimant: Claimant,
  ): Promise<boolean> {
    const { matches } = await work({ compare: { password, hashes: hashesToCompare(storedHash) } }, claimant)
    // No password leads to a decoy, but a match with one must never count either.
    return matches && storedHash !== undefined && isReadable(storedHash)
  }

  /** The bcrypt hash of a new password. @throws Unavailable */
  async function hash(password: string, claimant: Claimant): Promise<string> {
    return (await work({ hash: { password, cost } }, claimant)).hash
  }

  /** Whether a stored hash is cheaper than the setting asks for, and to be replaced at the next login. */
  function isOutdated(storedHash: string): boolean {
    return costOf(storedHash) < cost
  }

  /** Waits until every thread runs: the first login should not be the one that waits for them. */
  async function warmUp(): Promise<void> {
    const cheap: PasswordJob = { compare: { password: '', hashes: [decoyHash(4)] } }
    await Promise.all(Array.from({ length: threads }, () => startedPool().run(cheap)))
  }

  async function close(): Promise<void> {
    await pool?.destroy()
  }

  async function work(job: PasswordJob, claimant: Claimant): Promise<PasswordResult> {
    requireRoom(claimant)
    try {
      const result = await startedPool().run(job)
      msPerHash += (result.ms - msPerHash) / 8
      return result
    } catch (error) {
      throw new Unavailable(`hashing failed: ${(error as Error).message}`)
    }
  }

  /** Threads start with the first work: most commands have none for them. */
  function startedPool() {
    pool ??= new Piscina({
      // The worker is TypeScript where this file is, and JavaScript after the build.
      filename: fileURLToPath(new URL(`services/password-worker${extname(import.meta.url)}`, CODE_FOLDER)),
      minThreads: threads,
      maxThreads: threads,
      recordTiming: false,
      workerData: { notice } satisfies PasswordWorkerData,
    })
    return pool
  }

  /** Costs add up: comparing at c, then with decoys of c, c+1, … up to one below the setting, takes 2^setting in all. */
  function hashesToCompare(storedHash: string | undefined): string[] {
    if (storedHash === undefined || !isReadable(storedHash)) return decoys.slice(cost)
    return [storedHash, ...decoys.slice(costOf(storedHash), cost)]
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
  const cost = costOf(hash)
  return cost >= 4 && cost <= MAX_STORED_COST
}

function costOf(hash: string): number {
  return Number(BCRYPT_HASH.exec(hash)?.[1] ?? Number.NaN)
}
