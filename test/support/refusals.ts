import bcrypt from 'bcryptjs'
import { MOBILE, PASSWORD, type userInserter } from '../helper.js'

/** Stored costs below and above BCRYPT_COST, which is 10 in these tests. */
const LOWER = 8
const HIGHER = 11

const users = {
  disabled: { mobile: '+8613800138101', status: 'disabled' },
  disabledCheap: { mobile: '+8613800138102', status: 'disabled', hash: bcrypt.hashSync(PASSWORD, LOWER) },
  unreadable: { mobile: '+8613800138103', hash: 'unreadable' },
  lower: { mobile: '+8613800138104', hash: bcrypt.hashSync(PASSWORD, LOWER) },
  higher: { mobile: '+8613800138105', hash: bcrypt.hashSync(PASSWORD, HIGHER) },
}

const wrong = 'wrong umbrella'

/** The body of a login for every reason of a refusal. */
export const REFUSALS = {
  'wrong password': { mobile: MOBILE, password: wrong },
  'unknown mobile': { mobile: '+8613800138999', password: PASSWORD },
  'disabled, right password': { mobile: users.disabled.mobile, password: PASSWORD },
  'disabled, wrong password': { mobile: users.disabled.mobile, password: wrong },
  'disabled, cheap hash, right password': { mobile: users.disabledCheap.mobile, password: PASSWORD },
  'unreadable hash': { mobile: users.unreadable.mobile, password: PASSWORD },
  'hash of lower cost': { mobile: users.lower.mobile, password: wrong },
  'hash of higher cost': { mobile: users.higher.mobile, password: wrong },
}

export type Reason = keyof typeof REFUSALS

/** Adds the users of these refusals. */
export async function addRefusedUsers(addUser: ReturnType<typeof userInserter>): Promise<void> {
  await addUser()
  for (const user of Object.values(users)) await addUser(user)
}

/**
 * Measures each reason this many times, in turn, so that other load on the machine affects all
 * alike. Every round begins with another reason. Repeats where `measure` gives undefined.
 */
export async function measureRefusals(
  samples: number,
  measure: (body: (typeof REFUSALS)[Reason], reason: Reason) => Promise<number | undefined>,
): Promise<Map<Reason, number[]>> {
  const reasons = Object.keys(REFUSALS) as Reason[]
  const measured = new Map(reasons.map((reason) => [reason, [] as number[]]))
  for (let round = 0; round < samples; round++) {
    for (let index = 0; index < reasons.length; index++) {
      const reason = reasons[(round + index) % reasons.length] as Reason
      let value: number | undefined
      while (value === undefined) value = await measure(REFUSALS[reason], reason)
      measured.get(reason)?.push(value)
    }
  }
  return measured
}

/** The value below which this share of the values is: 0.5 gives the median. */
export function quantile(values: readonly number[], share = 0.5): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length * share)] ?? Number.NaN
}
