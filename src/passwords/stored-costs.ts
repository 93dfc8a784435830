import { setTimeout as sleep } from 'node:timers/promises'
import type { Accounts } from '../stores/postgres/accounts.js'
import type { Passwords } from './passwords.js'

/** Users that one statement reads. It takes PostgreSQL about ten milliseconds. */
const ROWS = 5000

/** Pause between two statements, in milliseconds, so that logins are not delayed. */
const PAUSE_MS = 200

interface Needs {
  accounts: Pick<Accounts, 'readCosts'>
  passwords: Pick<Passwords, 'expectCosts'>
  signal: AbortSignal
}

/**
 * Reads the costs of all stored hashes in the background: about a minute for a million users.
 * Without it, the first wrong password for a costly hash would take longer than any other. It need
 * not be repeated after a failure, because each comparison announces its cost as well.
 *
 * @throws Unavailable at the first failure; AbortError when `signal` aborts.
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
