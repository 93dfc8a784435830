import { setTimeout as sleep } from 'node:timers/promises'
import type { Accounts } from '../stores/postgres/accounts.js'
import type { Passwords } from './passwords.js'

/** Users that one statement looks at: it takes PostgreSQL some ten milliseconds. */
const ROWS = 5000

/** Between two statements, in milliseconds: whoever logs in meanwhile does not notice. */
const PAUSE_MS = 200

interface Needs {
  accounts: Pick<Accounts, 'readCosts'>
  passwords: Pick<Passwords, 'expectCosts'>
  signal: AbortSignal
}

/**
 * Finds out with what costs hashes are stored, behind everything else: without it the first wrong
 * password for a costly one would still take longer than any other. A million users take a minute.
 * It ends at the first failure, for each comparison tells the same.
 */
export async function findStoredCosts({ accounts, passwords, signal }: Needs): Promise<void> {
  let after: number | null = Number.MIN_SAFE_INTEGER
  while (after !== null) {
    const { last, costs } = await accounts.readCosts(after, ROWS)
    passwords.expectCosts(costs.map(Number))
    after = last
    await sleep(PAUSE_MS, undefined, { signal, ref: false })
  }
}
