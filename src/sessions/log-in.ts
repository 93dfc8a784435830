import { randomBytes } from 'node:crypto'
import type { Claimant } from '../passwords/fair-queue.js'
import type { Passwords } from '../passwords/passwords.js'
import { Unavailable } from '../refusals/refusal.js'
import type { Account, Accounts } from '../stores/postgres/accounts.js'
import type { LoginPlaces } from '../stores/postgres/login-places.js'
import type { Joined, SessionRegistry } from '../stores/session-registry.js'
import type { Tokens } from '../tokens/tokens.js'
import { type Budget, COMMIT_LIMIT_MS, HASHING_BUDGET_MS, startBudget } from './budget.js'
import { type createPasswordProof, invalidCredentials } from './password-proof.js'

/** Logins of the same user that may overtake this one before it gives up. */
const MAX_COMMIT_ATTEMPTS = 5

/** What a login gave. `expiresIn` in seconds. */
export interface Grant {
  token: string
  userId: number
  sessionId: string
  expiresIn: number
  /** The live session that this login ended, or null. */
  supersededSessionId: string | null
}

/**
 * Who wants to log in, and by what. `mobile` in its canonical spelling; `network` as networkOf gives
 * it.
 */
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
  passwords: Pick<Passwords, 'requireRoom' | 'matches' | 'hash' | 'isOutdated'>
  provePassword: ReturnType<typeof createPasswordProof>
  ttlSeconds: number
}

/** A login that has proved its password and is now to be committed. */
interface ProvedLogin {
  password: string
  claimant: Claimant
  budget: Budget
  /** The hash to store: the one that was proved, or the same password at a higher cost. */
  passwordHash: string
}

/** A session that D has committed, and what came of joining it into R. */
interface CommittedSession {
  sessionId: string
  stamp: number
  issuedAt: number
  joined: Joined
  supersededSessionId: string | null
}

/** Logging in. */
export function createLogin(needs: Needs) {
  const { accounts, places, registry, tokens, passwords, provePassword, ttlSeconds } = needs
  return begin

  /**
   * Logs a user in and ends the earlier session.
   *
   * @throws Refusal `invalid_credentials`, with the real reason for the log only.
   * @throws Unavailable when a store or the hashing queue did not do its part; then no token is known
   *   to anyone.
   */
  async function begin({ mobile, password, network }: LoginAttempt): Promise<Grant> {
    const claimant = { account: mobile, network }
    const budget = startBudget(HASHING_BUDGET_MS)
    // In a flood of logins nearly all end here: the stores have nothing to do with them.
    passwords.requireRoom(claimant)
    const account = await accounts.findByMobile(mobile)

    // A disabled account has no right password: its holder must not be told apart by the time that
    // an answer takes.
    const hash = account && isActive(account) ? account.passwordHash : undefined
    const { proved, familiarity } = await provePassword(password, { account, hash, claimant, budget })
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

  /**
   * The same password at the configured cost where the stored hash is cheaper; the old hash when
   * that leaves no time for the commit.
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

  /** Commits the login in both stores, again whenever another write of this user was faster. */
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
      // Nothing was committed, or R knows of something later.
      account = await readAgain(account.userId, login.budget)
      // It is a later login that R knows: this one is done and superseded.
      if (committed?.joined === 'newer' && account.sessionId !== committed.sessionId) return committed
      // Else D still holds this one, and has lost what R remembers: step "repeat above the collided
      // stamp".
    }
    throw new Unavailable('other logins of this user were faster')
  }

  /** The password was changed meanwhile, or only rehashed by a login beside this one. */
  async function requireStillRight(
    { passwordHash }: Account,
    { password, claimant, budget }: ProvedLogin,
  ): Promise<void> {
    if (!(await passwords.matches(password, passwordHash, claimant, budget.end))) {
      throw invalidCredentials('password changed')
    }
  }

  /** Undefined where the account has changed since it was read, or the deadline has passed. */
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

  /** Step "login reads D again". @throws Refusal when the user may not log in any more */
  async function readAgain(userId: number, budget: Budget): Promise<Account> {
    const found = await accounts.findById(userId, budget.limit())
    if (!found) throw invalidCredentials('user deleted')
    requireActive(found)
    return found
  }

  /** Lets the user be known here from now on. The login has succeeded, with or without it. */
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
 * 176 random bits (ASVS 7.2.3 asks for 128) in 30 characters: with the stamp before it a registry
 * entry is 44 bytes long, the most that Redis keeps in one piece of memory.
 */
function newSessionId(): string {
  return randomBytes(22).toString('base64url')
}
