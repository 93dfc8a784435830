import { costOf, decoyHash, isComputed, MAX_STORED_COST } from './bcrypt-cost.js'
import type { Claimant } from './fair-queue.js'
import { createHashing } from './hashing.js'

/**
 * How long a refusal may take on behalf of costly hashes of others, in milliseconds: it has to come
 * in time nevertheless.
 */
const MAX_DRAWN_OUT_MS = 1000

export type Passwords = ReturnType<typeof createPasswords>

/**
 * Hashes and compares passwords, in the threads of {@link createHashing}.
 *
 * A wrong password takes the same time whatever is stored: that of one comparison at the highest
 * cost which is in use, be it that of the setting or one with which a hash was stored elsewhere. A
 * right one takes the time of its own hash, for the answer says that it was right. Left out are
 * costs at which one comparison would take more than a second: a single such hash would have every
 * login wait for so long. It gives itself away instead.
 */
export function createPasswords({ cost, processes = 1 }: { cost: number; processes?: number }) {
  const hashing = createHashing(processes)
  const decoys = Array.from({ length: MAX_STORED_COST + 1 }, (_, decoyCost) => decoyHash(decoyCost))
  const costsInUse = new Set([cost])
  const { requireRoom, giveWay, warmUp, close } = hashing

  return { requireRoom, matches, hash, isOutdated, expectCosts, giveWay, warmUp, close }

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
    const { matches } = await hashing.work({ compare: { password, hashes } }, claimant, end)
    // No password leads to a decoy, but a match with one must never count either.
    return matches && readable
  }

  /** The bcrypt hash of a new password. @throws NotHashed @throws Unavailable */
  async function hash(password: string, claimant: Claimant, end: number): Promise<string> {
    return (await hashing.work({ hash: { password, cost } }, claimant, end)).hash
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
    const bearable = [...costsInUse].filter((inUse) => hashing.msAt(inUse) <= MAX_DRAWN_OUT_MS)
    return Math.max(cost, ...bearable)
  }
}

function isReadable(hash: string): boolean {
  return isComputed(costOf(hash))
}
