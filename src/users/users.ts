import type { CountryCode } from 'libphonenumber-js/max'
import { requireStrong } from '../passwords/password-length.js'
import { requireUncommon } from '../passwords/password-rules.js'
import type { Passwords } from '../passwords/passwords.js'
import type { Throttle } from '../passwords/throttle.js'
import { DETAILS } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'
import {
  ANSWER_BUDGET_MS,
  type Budget,
  deadlinePassed,
  HASHING_BUDGET_MS,
  startBudget,
} from '../sessions/budget.js'
import type { Account, AccountChange, Accounts } from '../stores/postgres/accounts.js'
import { joinState, type SessionRegistry } from '../stores/session-registry.js'
import { canonicalMobile } from './mobiles.js'

/** How an operator or a sibling service names a user. */
export type UserRef = { userId: number } | { mobile: string }

/** What they may see of a user: never the hash or the session id. Times as in RFC 3339, in UTC. */
export interface User {
  userId: number
  mobile: string
  status: Account['status']
  loggedIn: boolean
  lastLogin: string | null
  createdAt: string
}

interface Needs {
  accounts: Pick<
    Accounts,
    'findByMobile' | 'findById' | 'readClock' | 'add' | 'enable' | 'disable' | 'setPassword' | 'endAnySession'
  >
  registry: Pick<SessionRegistry, 'join'>
  passwords: Pick<Passwords, 'hash'>
  throttle: Pick<Throttle, 'forget'>
  region: CountryCode
  /**
   * Limit of a change in milliseconds, instead of the limit that the callers of routes are
   * promised.
   */
  budgetMs?: number
}

/**
 * The network under which hashing for operators and siblings is queued: all of it takes one share,
 * wherever they call from.
 */
const PROVISIONING = 'provisioning'

/** One statement that changes a user and carries its deadline. */
type Write = (change: AccountChange, limitMs: number) => Promise<Account | undefined>

interface CommitOptions {
  /** Whether the change also forgets failed logins, so that what an operator sets works at once. */
  forgives?: boolean
}

export type Users = ReturnType<typeof createUsers>

/**
 * Administration of accounts by operators and siblings. A change that ends a session works like a
 * logout: it commits in PostgreSQL before its deadline, is joined into the registry, and succeeds
 * only when both have it. Repeating a change is harmless.
 */
export function createUsers({ accounts, registry, passwords, throttle, region, budgetMs }: Needs) {
  return {
    add,
    find,
    enable,
    disable,
    setPassword,
    endSession,
    unlock,
    requireFree,
    requireGoodPassword,
  }

  /**
   * Creates a user. The registry has no entry of it before the first login.
   *
   * @throws Refusal `invalid_request` for a bad mobile number or a weak password; `mobile_taken`,
   *   with the id of the user who has the number.
   * @throws Unavailable; the user may have been added nevertheless, and the next try then throws
   *   `mobile_taken`.
   */
  async function add({ mobile, password }: { mobile: string; password: string }): Promise<User> {
    const canonical = canonicalMobile(mobile, region)
    await requireGoodPassword(password, canonical)
    const budget = startBudget(budgetMs ?? HASHING_BUDGET_MS)
    const [holder, clock] = await Promise.all([accounts.findByMobile(canonical), accounts.readClock()])
    if (holder) throw mobileTaken(holder)

    const passwordHash = await passwords.hash(
      password,
      { account: canonical, network: PROVISIONING },
      budget.end,
    )
    const added = await budget.commit(clock, (deadline, limitMs) =>
      accounts.add({ mobile: canonical, passwordHash, deadline }, limitMs),
    )
    if (!added) {
      const faster = await accounts.findByMobile(canonical, budget.limit())
      throw faster ? mobileTaken(faster) : deadlinePassed()
    }
    const { userId, createdAt } = added
    return {
      userId,
      mobile: canonical,
      status: 'active',
      loggedIn: false,
      lastLogin: null,
      createdAt: inUtc(createdAt),
    }
  }

  /** @throws Refusal `not_found` @throws Unavailable */
  async function find(ref: UserRef): Promise<User> {
    return asUser(await account(ref))
  }

  /**
   * Lets a disabled user log in again. An ended session stays ended.
   *
   * @throws Refusal `not_found`
   * @throws Unavailable
   */
  async function enable(ref: UserRef): Promise<User> {
    return change(ref, accounts.enable, { forgives: true })
  }

  /**
   * Ends the user's session and refuses new ones. @throws Refusal `not_found` @throws Unavailable
   */
  async function disable(ref: UserRef): Promise<User> {
    return change(ref, accounts.disable, { forgives: true })
  }

  /** Ends the user's session, if there is one. @throws Refusal `not_found` @throws Unavailable */
  async function endSession(ref: UserRef): Promise<User> {
    return change(ref, accounts.endAnySession)
  }

  /**
   * Sets a password and ends the user's session.
   *
   * @throws Refusal `not_found`, `invalid_request`
   * @throws Unavailable
   */
  async function setPassword(ref: UserRef, password: string): Promise<User> {
    requireStrong(password, 'password')
    const budget = startBudget(budgetMs ?? HASHING_BUDGET_MS)
    const found = await account(ref)
    await requireUncommon(password, 'password', found.mobile)
    // Step "canary join", as in a login: an outage of Redis is found before the hash, and before
    // anything changes.
    await joinState(registry, found, found.clock.database)
    const claimant = { account: found.mobile, network: PROVISIONING }
    const passwordHash = await passwords.hash(password, claimant, budget.end)
    return commit(
      found,
      (change, limitMs) => accounts.setPassword({ ...change, passwordHash }, limitMs),
      budget,
      { forgives: true },
    )
  }

  /** Forgets the user's failed logins. @throws Refusal `not_found` @throws Unavailable */
  async function unlock(ref: UserRef): Promise<User> {
    const found = await account(ref)
    await throttle.forget(found.mobile)
    return asUser(found)
  }

  /**
   * For callers who ask for a password only if {@link add} can take the number.
   *
   * @returns the number in its canonical spelling.
   * @throws Refusal `invalid_request`, `mobile_taken`
   * @throws Unavailable
   */
  async function requireFree(mobile: string): Promise<string> {
    const canonical = canonicalMobile(mobile, region)
    const holder = await accounts.findByMobile(canonical)
    if (holder) throw mobileTaken(holder)
    return canonical
  }

  /**
   * Checks a password that the user with this number is to get. @throws Refusal `invalid_request`
   */
  async function requireGoodPassword(password: string, mobile: string): Promise<void> {
    requireStrong(password, 'password')
    await requireUncommon(password, 'password', mobile)
  }

  async function change(ref: UserRef, write: Write, options?: CommitOptions): Promise<User> {
    const budget = startBudget(budgetMs ?? ANSWER_BUDGET_MS)
    return commit(await account(ref), write, budget, options)
  }

  /**
   * Commits in D, then joins what D holds. @returns the user as this change left them, whatever is
   * changed later.
   */
  async function commit(
    { userId, mobile, clock }: Account,
    write: Write,
    budget: Budget,
    { forgives = false }: CommitOptions = {},
  ): Promise<User> {
    const changed = await budget.commit(clock, (deadline, limitMs) => write({ userId, deadline }, limitMs))
    if (!changed) throw deadlinePassed()
    await Promise.all([
      joinState(registry, changed, clock.database, budget.limit()),
      forgives && throttle.forget(mobile, budget.limit()),
    ])
    return asUser(changed)
  }

  async function account(ref: UserRef): Promise<Account> {
    const found =
      'userId' in ref
        ? await accounts.findById(ref.userId)
        : await accounts.findByMobile(canonicalMobile(ref.mobile, region))
    if (!found) throw new Refusal('not_found', { msg: DETAILS.noSuchUser })
    return found
  }
}

function asUser(account: Account): User {
  const { userId, mobile, status, sessionId, expiresAt, lastLogin, createdAt, clock } = account
  return {
    userId,
    mobile,
    status,
    loggedIn: sessionId !== null && (expiresAt ?? 0) > clock.database,
    lastLogin: lastLogin === null ? null : inUtc(lastLogin),
    createdAt: inUtc(createdAt),
  }
}

function inUtc(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

/** Names the user who has the number. After a 503 this may be the user that the same call added. */
function mobileTaken({ userId }: Account): Refusal {
  return new Refusal('mobile_taken', { data: { user_id: userId } })
}
