import { randomBytes } from 'node:crypto'
import type { Config } from '../config/config.js'
import { createPasswords } from '../passwords/passwords.js'
import { createThrottle } from '../passwords/throttle.js'
import { OPERATOR_BUDGET_MS } from '../sessions/budget.js'
import type { Stores } from '../stores/stores.js'
import { createUsers } from '../users/users.js'

export const DEMO_MOBILE = '+8613800138000'

/** Gives an empty embedded service its first user. The password, or undefined when there is a user already. */
export async function createDemoAccount(config: Config, stores: Stores): Promise<string | undefined> {
  if (await stores.accounts.any()) return undefined
  const passwords = createPasswords({ cost: config.bcryptCost })
  try {
    const region = config.defaultRegion
    const throttle = createThrottle({ ...stores, ...config.throttle })
    const users = createUsers({ ...stores, passwords, throttle, region, budgetMs: OPERATOR_BUDGET_MS })
    const password = randomBytes(15).toString('base64url')
    await users.add({ mobile: DEMO_MOBILE, password })
    return password
  } finally {
    await passwords.close()
  }
}
