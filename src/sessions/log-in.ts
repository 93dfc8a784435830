import { randomBytes } from 'node:crypto'
import type { Claimant } from '../passwords/fair-queue.js'
import type { Passwords } from '../passwords/passwords.js'
import { Unavailable } from '../refusals/refusal.js'
import type { Account, Accounts } from '../stores/postgres/accounts.js'
import type { LoginPlaces } from '../stores/postgres/login-places.js'
import type { Joined, SessionRegistry } from '../stores/session-registry.js'
import type { Tokens } from '../tokens/tokens.js'
import { type Budget, COMMIT_LIMIT_MS, HASHING_BUDGET_MS, startBudget } from './budget.js'
import { invalidCredentials, type ProvePassword } from './password-proof.js'

/** How often a login tries to commit. A try fails when another write of the same user is faster. */
const MAX_COMMIT_ATTEMPTS = 5

/** The result of a login. `expiresIn` in seconds. */
export interface Grant {
  token: string
  userId: number
  sessionId: string
  expiresIn: number
  /** The live session that this login ended, or null. */
  supersededSessionId: string | null
}

/** Who wants to log in. `mobile` is canonical, `network` as networkOf returns it. */
export interface LoginAttempt {
  mobile: string
  password: string
  network: string
}

interface Needs {
  accounts: Pick<Accounts, 'findByMobile' | 'findById' | 'beginSession'>
  places: Pick<LoginPlaces, 'note'>
  registry: SessionRegistry
  tokens: Pick<Tokens, 'sign'>
  passwords: Pick<Passwords, 'keepRoom' | 'matches' | 'hash' | 'isOutdated'>
  ttlSeconds: number
}

/** A login whose password is proved and which is about to commit. */
interface ProvedLogin {
  password: string
  claimant: Claimant
  budget: Budget
  /** The hash to store: the proved one, or that of the same password at a higher cost. */
  passwordHash: string
}

/** A session that D has committed, and the result of joining it into R. */
interface CommittedSession {
  sessionId: string
  stamp: number
  issuedAt: number
  joined: Joined
  supersededSessionId: string | null
}

/** Logs users in. */
export function createLogin(
  { accounts, places, registry, tokens, passwords, ttlSeconds }: Needs,
  provePassword: ProvePassword,
) {
  return begin

  /**
   * Logs a user in and ends the earlier session.
   *
   * @throws Refusal `invalid_credentials`, whose reason is for the log only; `too_many_attempts`.
   * @throws Unavailable when a store or the hashing queue failed. Then nobody has received a token.
   */
  async function begin({ mobile, password, network }: LoginAttempt): Promise<Grant> {
    const claimant = { account: mobile, network }
    const budget = startBudget(HASHING_BUDGET_MS)
    const { account, proved, familiarity } = await prove(password, claimant, budget)
    if (!account) throw invalidCredentials('unknown mobile')
    requireActive(account)
    if (!proved) throw invalidCredentials('wrong password')

    const passwordHash = await upgraded(account.passwordHash, password, claimant, budget)
    const { userId } = account
    const { sessionId, stamp, issuedAt, supersededSessionId } = await commitLogin(account, {
      password,
      claimant,
      budget,
      passwordHash,
    })
    if (familiarity !== 'noted') await notePlace(userId, network, budget)
    const token = tokens.sign({ userId, sessionId, stamp, issuedAt, ttl: ttlSeconds })
    return { token, userId, sessionId, expiresIn: ttlSeconds, supersededSessionId }
  }

  /** Finds the account of a mobile number, and proves the password. */
  async function prove(password: string, claimant: Claimant, budget: Budget) {
    // In a flood of logins nearly all are refused here, before they cost the stores anything.
    const giveRoomBack = passwords.keepRoom(claimant)
    try {
      const account = await accounts.findByMobile(claimant.account)
      // A disabled account has no right password: the answer's time must not reveal its status.
      const hash = account && isActive(account) ? account.passwordHash : undefined
      return {
        account,
        ...(await provePassword(password, { account, hash, claimant, budget, giveRoomBack })),
      }
    } finally {
      giveRoomBack()
    }
  }

  /**
   * The same password hashed at the configured cost if the stored hash is cheaper. The stored hash
   * if hashing fails or would leave no time for the commit.
   */
  async function upgraded(
    storedHash: string,
    password: string,
    claimant: Claimant,
    budget: Budget,
  ): Promise<string> {
    if (!passwords.isOutdated(storedHash)) return storedHash
    return passwords.hash(password, claimant, budget.end - COMMIT_LIMIT_MS).catch(() => storedHash)
  }

  /** Commits the login in both stores. Tries again when another write of this user was faster. */
  async function commitLogin(proved: Account, login: ProvedLogin): Promise<CommittedSession> {
    let account = proved
    let { passwordHash: verifiedHash } = proved
    let { passwordHash } = login

    for (let attempt = 1; attempt <= MAX_COMMIT_ATTEMPTS; attempt++) {
      if (account.passwordHash !== verifiedHash) {
        await requireStillRight(account, login)
        verifiedHash = passwordHash = account.passwordHash
      }
      const committed = await commitAndJoin(account, passwordHash, login.budget)
      if (committed?.joined === 'held') return committed
      // Nothing was committed, or R did not take the entry.
      account = await readAgain(account.userId, login.budget)
      // A later login has superseded this one, which is complete.
      if (committed?.joined === 'newer' && account.sessionId !== committed.sessionId) return committed
      // A committed session that D still holds: D has lost what R remembers. Step "repeat above the
      // collided stamp".
    }
    throw new Unavailable('other logins of this user were faster')
  }

  /**
   * Compares the password with a hash that changed meanwhile. A concurrent login may only have
   * rehashed the same password.
   */
  async function requireStillRight(
    { passwordHash }: Account,
    { password, claimant, budget }: ProvedLogin,
  ): Promise<void> {
    if (!(await passwords.matches(password, passwordHash, claimant, budget.end))) {
      throw invalidCredentials('password changed')
    }
  }

  /** @returns undefined if the account changed since it was read, or the deadline has passed. */
  async function commitAndJoin(
    account: Account,
    passwordHash: string,
    budget: Budget,
  ): Promise<CommittedSession | undefined> {
    const { userId, sessionId: earlier, expiresAt: earlierExpiry, clock } = account
    const sessionId = newSessionId()
    const login = {
      userId,
      seenStamp: account.stamp,
      verifiedHash: account.passwordHash,
      passwordHash,
      sessionId,
      ttlSeconds,
    }
    // Step "commit in D".
    const begun = await budget.commit(clock, (deadline, limitMs) =>
      accounts.beginSession({ ...login, deadline }, limitMs),
    )
    if (!begun) return undefined
    const { stamp, issuedAt, expiresAt } = begun
    // Step "join".
    const joined = await registry.join(userId, { stamp, sessionId }, expiresAt, budget.limit())
    const supersededSessionId = (earlierExpiry ?? 0) > clock.database ? earlier : null
    return { sessionId, stamp, issuedAt, joined, supersededSessionId }
  }

  /** Step "login reads D again". @throws Refusal when the user may no longer log in */
  async function readAgain(userId: number, budget: Budget): Promise<Account> {
    const found = await accounts.findById(userId, budget.limit())
    if (!found) throw invalidCredentials('user deleted')
    requireActive(found)
    return found
  }

  /** Makes the network a known place of the user. An outage here does not fail the login. */
  async function notePlace(userId: number, network: string, budget: Budget): Promise<void> {
    await places.note(userId, network, budget.limit()).catch((error) => {
      if (!(error instanceof Unavailable)) throw error
    })
  }
}

function isActive({ status }: Account): boolean {
  return status === 'active'
}

function requireActive(account: Account): void {
  if (!isActive(account)) throw invalidCredentials('user disabled')
}

/**
 * 176 random bits (ASVS 7.2.3 requires 128) in 30 characters. With the stamp, a registry entry has
 * 44 bytes, the longest string that Redis stores as `embstr`, in one allocation.
 */
function newSessionId(): string {
  return randomBytes(22).toString('base64url')
}
