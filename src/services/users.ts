import type { CountryCode } from 'libphonenumber-js/min'
import { Refusal, Unavailable } from '../errors.js'
import { DETAILS } from '../messages.js'
import type { Account, Accounts, HeldSession } from '../stores/accounts.js'
import { joinHeld, type SessionRegistry } from '../stores/session-registry.js'
import { deadlineIn } from './budget.js'
import { canonicalMobile } from './mobiles.js'
import { type Passwords, requireStrong } from './passwords.js'

/** How long an operator's change may wait to be committed, in milliseconds. */
const COMMIT_LIMIT_MS = 200

/** Whom an operator means. */
export type UserRef = { userId: number } | { mobile: string }

/** What an operator may see of a user: never the hash, never the session's id. */
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
    'findByMobile' | 'findById' | 'add' | 'any' | 'enable' | 'disable' | 'setPassword' | 'endAnySession'
  >
  registry: Pick<SessionRegistry, 'join'>
  passwords: Pick<Passwords, 'hash'>
  region: CountryCode
}

export type Users = ReturnType<typeof createUsers>

/**
 * What operators do with accounts. Whatever ends a session does it like a logout: committed in PostgreSQL, then
 * joined into the registry, and done only when both have it. Doing it again is harmless.
 */
export function createUsers({ accounts, registry, passwords, region }: Needs) {
  return { add, find, enable, disable, setPassword, endSession, any: accounts.any }

  /** Creates a user. @throws Refusal `invalid_request` for a bad or taken mobile number and a weak password. */
  async function add({ mobile, password }: { mobile: string; password: string }): Promise<User> {
    const canonical = canonicalMobile(mobile, region)
    requireStrong(password, 'password')
    const userId = await accounts.add({ mobile: canonical, passwordHash: await passwords.hash(password) })
    if (userId === undefined) throw new Refusal('invalid_request', { msg: DETAILS.mobileTaken })
    return find({ userId })
  }

  /** @throws Refusal `not_found` */
  async function find(ref: UserRef): Promise<User> {
    const { userId, mobile, status, sessionId, expiresAt, lastLogin, createdAt, clock } = await account(ref)
    const loggedIn = sessionId !== null && (expiresAt ?? 0) > clock.database
    return { userId, mobile, status, loggedIn, lastLogin, createdAt }
  }

  /** Lets a disabled user log in again. @throws Refusal `not_found` @throws Unavailable */
  async function enable(ref: UserRef): Promise<User> {
    return change(ref, (userId, deadline) => accounts.enable({ userId, deadline }))
  }

  /** Ends the user's session and refuses new ones. @throws Refusal `not_found` @throws Unavailable */
  async function disable(ref: UserRef): Promise<User> {
    return change(ref, (userId, deadline) => accounts.disable({ userId, deadline }))
  }

  /** Sets a password and ends the user's session. @throws Refusal `not_found`, `invalid_request` @throws Unavailable */
  async function setPassword(ref: UserRef, password: string): Promise<User> {
    requireStrong(password, 'password')
    const passwordHash = await passwords.hash(password)
    return change(ref, (userId, deadline) => accounts.setPassword({ userId, passwordHash, deadline }))
  }

  /** Ends the user's session, if there is one. @throws Refusal `not_found` @throws Unavailable */
  async function endSession(ref: UserRef): Promise<User> {
    return change(ref, (userId, deadline) => accounts.endAnySession({ userId, deadline }))
  }

  async function change(
    ref: UserRef,
    commit: (userId: number, deadline: number) => Promise<HeldSession | undefined>,
  ): Promise<User> {
    const { userId, clock } = await account(ref)
    const ended = await commit(userId, deadlineIn(COMMIT_LIMIT_MS, clock))
    if (!ended) throw new Unavailable('postgres: the deadline had passed')
    await joinHeld(registry, ended, clock.database)
    return find({ userId })
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
