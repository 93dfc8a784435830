import { randomBytes } from 'node:crypto'
import type { Config } from '../config/config.js'
import { createPasswords } from '../passwords/passwords.js'
import { Unavailable } from '../refusals/refusal.js'
import { OPERATOR_BUDGET_MS, startBudget } from '../sessions/budget.js'
import type { Stores } from '../stores/stores.js'

export const DEMO_MOBILE = '+8613800138000'

/**
 * Gives an empty embedded service its first user. The password, or undefined when there is a user already. It is random,
 * and so spared the estimate that other new passwords go through, whose word lists take 20 MB.
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
    if (!added) throw new Unavailable('postgres: the deadline had passed')
    return password
  } finally {
    await passwords.close()
  }
}
