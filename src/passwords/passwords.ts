import { costOf, decoyHash, isComputed, MAX_STORED_COST } from './bcrypt-cost.js'
import type { Claimant } from './fair-queue.js'
import { createHashing, type HashingLog } from './hashing.js'

/**
 * Limit of the time that refusals take in order to hide costly hashes, in milliseconds. A refusal
 * must still come in time.
 */
const MAX_DRAWN_OUT_MS = 1000

interface Needs {
  /** The bcrypt cost of new hashes. */
  cost: number
  /** How many processes share the cores. */
  processes?: number
  /** Undefined for a command, which hashes one password. */
  log?: HashingLog
}

export type Passwords = ReturnType<typeof createPasswords>

/**
 * Hashes and compares passwords in the threads of {@link createHashing}.
 *
 * A wrong password takes the same time whatever is stored: that of one comparison at the highest
 * cost in use, which is the configured cost or that of an imported hash. A right password takes the
 * time of its own hash, because the answer reveals anyway that it was right. A cost at which one
 * comparison takes more than a second is left out: a single such hash would delay every login by as
 * much. The refusal of such a hash can be told by its time.
 */
export function createPasswords({ cost, processes = 1, log }: Needs) {
  const hashing = createHashing(processes, log)
  const decoys = Array.from({ length: MAX_STORED_COST + 1 }, (_, decoyCost) => decoyHash(decoyCost))
  const costsInUse = new Set([cost])
  const { giveWay, warmUp, close } = hashing

  return { keepRoom, matches, hash, isOutdated, expectCosts, giveWay, warmUp, close }

  /** Keeps room for one comparison, see {@link createHashing}. @throws NotHashed */
  function keepRoom(claimant: Claimant): () => void {
    return hashing.keepRoom(claimant, 2 ** highestCost())
  }

  /**
   * Whether the password belongs to the hash. False without a readable hash, after the time of any
   * wrong password.
   *
   * @param end moment of performance.now() after which nobody waits for the result.
   * @throws NotHashed when the queue has no room, or the turn did not come in time.
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
    const { matches } = await hashing.work({ compare: { password, hashes } }, claimant, end)
    // No password matches a decoy. If one did, it must not count.
    return matches && readable
  }

  /**
   * The bcrypt hash of a new password at the configured cost.
   *
   * @throws NotHashed
   * @throws ComparedTooLate
   * @throws Unavailable
   */
  async function hash(password: string, claimant: Claimant, end: number): Promise<string> {
    return (await hashing.work({ hash: { password, cost } }, claimant, end)).hash
  }

  /** Whether a stored hash is below the configured cost and is to be replaced at the next login. */
  function isOutdated(storedHash: string): boolean {
    return costOf(storedHash) < cost
  }

  /** Announces costs of stored hashes before one of them is compared. */
  function expectCosts(costs: readonly number[]): void {
    for (const stored of costs) if (isComputed(stored)) costsInUse.add(stored)
  }

  /** The cost whose time every refusal takes. */
  function highestCost(): number {
    const bearable = [...costsInUse].filter((inUse) => hashing.msAt(inUse) <= MAX_DRAWN_OUT_MS)
    return Math.max(cost, ...bearable)
  }
}

function isReadable(hash: string): boolean {
  return isComputed(costOf(hash))
}
