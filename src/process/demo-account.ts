import { randomBytes } from 'node:crypto'
import type { Config } from '../config/config.js'
import { createPasswords } from '../passwords/passwords.js'
import { deadlinePassed, OPERATOR_BUDGET_MS, startBudget } from '../sessions/budget.js'
import type { Stores } from '../stores/stores.js'

export const DEMO_MOBILE = '+8613800138000'

/**
 * Creates the first user of an empty embedded service. Its password is random, and so is not
 * estimated as other new passwords are: the word lists would take 20 MB.
 *
 * @returns the password, or undefined if there is a user already.
 * @throws Unavailable
 */
export async function createDemoAccount({ bcryptCost }: Config, { accounts }: Stores) {
  if (await accounts.any()) return undefined
  const passwords = createPasswords({ cost: bcryptCost })
  try {
    const password = randomBytes(15).toString('base64url')
    const budget = startBudget(OPERATOR_BUDGET_MS)
    const claimant = { account: DEMO_MOBILE, network: 'demo' }
    const passwordHash = await passwords.hash(password, claimant, budget.end)
    const added = await budget.commit(await accounts.readClock(), (deadline, limitMs) =>
      accounts.add({ mobile: DEMO_MOBILE, passwordHash, deadline }, limitMs),
    )
    if (!added) throw deadlinePassed()
    return password
  } finally {
    await passwords.close()
  }
}
