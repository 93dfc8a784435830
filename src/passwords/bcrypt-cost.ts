import { randomBytes } from 'node:crypto'

/**
 * Highest cost of a stored hash that is computed. A higher one would occupy a thread for many
 * seconds.
 */
export const MAX_STORED_COST = 15

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/

/** The cost of a bcrypt hash; NaN for any other text. */
export function costOf(hash: string): number {
  return Number(BCRYPT_HASH.exec(hash)?.[1] ?? Number.NaN)
}

/** Whether hashes of this cost are computed. False for NaN. */
export function isComputed(cost: number): boolean {
  return cost >= 4 && cost <= MAX_STORED_COST
}

/** A hash that no password matches. bcrypt does its full work on it. */
export function decoyHash(cost: number): string {
  const random = randomBytes(48).toString('base64').replace(/[+=]/g, '.')
  return `$2b$${String(cost).padStart(2, '0')}$${random.slice(0, 53)}`
}
