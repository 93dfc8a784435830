import { randomBytes } from 'node:crypto'
import type { Claimant } from '../passwords/fair-queue.js'
import { requireUncommon } from '../passwords/password-rules.js'
import type { Passwords } from '../passwords/passwords.js'
import type { Throttle } from '../passwords/throttle.js'
import { Refusal, Unavailable } from '../refusals/refusal.js'
import type { Account, Accounts, HeldSession } from '../stores/postgres/accounts.js'
import type { Familiarity, LoginPlaces } from '../stores/postgres/login-places.js'
import { joinHeld, parseEntry, type RegistryEntry, type SessionRegistry } from '../stores/session-registry.js'
import { type ClaimedSession, hasExpired, type Tokens } from '../tokens/tokens.js'
import { createBatch } from './batch.js'
import {
  ANSWER_BUDGET_MS,
  type Budget,
  COMMIT_LIMIT_MS,
  COMMIT_MARGIN_MS,
  deadlineIn,
  HASHING_BUDGET_MS,
  startBudget,
} from './budget.js'
import type { Session } from './session.js'

/** Logins of the same user that may overtake this one before it gives up. */
const MAX_COMMIT_ATTEMPTS = 5

/** No user has this id: its registry entry is written where there is no account whose entry could be. */
const NOBODY: HeldSession = { userId: 0, stamp: null, sessionId: null, expiresAt: null }

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
 * Who wants to log in, and by what. `mobile` in its canonical spelling; `network` as {@link
 * networkOf} gives it.
 */
export interface LoginAttempt {
  mobile: string
  password: string
  network: string
}

/** The current password and the wanted one, and the network that they came from. */
export interface PasswordChange {
  current: string
  wanted: string
  network: string
}

interface Needs {
  accounts: Pick<
    Accounts,
    | 'findByMobile'
    | 'findById'
    | 'findSession'
    | 'findStandings'
    | 'beginSession'
    | 'endSession'
    | 'changePassword'
  >
  places: LoginPlaces
  registry: SessionRegistry
  tokens: Tokens
  passwords: Pick<Passwords, 'requireRoom' | 'matches' | 'hash' | 'isOutdated' | 'giveWay'>
  throttle: Pick<Throttle, 'prove'>
  ttlSeconds: number
  recovery: 'off' | 'database'
}

export type Sessions = ReturnType<typeof createSessions>

/**
 * The session protocol: one live session per user over two stores. D is the authority, the row in PostgreSQL;
 * R is the registry in Redis, a max-register. A change is committed in D with a compare-and-set, then joined
 * into R, and is acknowledged only when both have it. The steps are named as in the model, test/model/steps.ts.
 */
export function createSessions({
  accounts,
  places,
  registry,
  tokens,
  passwords,
  throttle,
  ttlSeconds,
  recovery,
}: Needs) {
  const check = createBatch(checkAll)

  return { begin, identify, inspect, end, changePassword }

  /**
   * Logs a user in and ends the earlier session.
   *
   * @throws Refusal `invalid_credentials`, with the real reason for the log only.
   * @throws Unavailable when a store or the hashing queue did not do its part; then no token is known to anyone.
   */
  async function begin({ mobile, password, network }: LoginAttempt): Promise<Grant> {
    const claimant = { account: mobile, network }
    const budget = startBudget(HASHING_BUDGET_MS)
    // Of a flood of logins nearly all end here: the stores have nothing to do with them.
    passwords.requireRoom(claimant)
    let account = await accounts.findByMobile(mobile)

    // Of whoever is disabled no password is right: a right one must not be told from a wrong one by
    // the time that it takes.
    let verifiedHash = account && isActive(account) ? account.passwordHash : undefined
    const { proved, familiarity } = await prove(password, verifiedHash, { account, claimant, budget })
    if (!account) throw invalidCredentials('unknown mobile')
    requireActive(account)
    if (!proved) throw invalidCredentials('wrong password')
    let passwordHash = await upgraded(account.passwordHash, password, claimant, budget)

    for (let attempt = 1; attempt <= MAX_COMMIT_ATTEMPTS; attempt++) {
      if (account.passwordHash !== verifiedHash) {
        // The password was changed meanwhile, or only rehashed by a login beside this one: ask the new hash.
        verifiedHash = passwordHash = account.passwordHash
        if (!(await passwords.matches(password, verifiedHash, claimant, budget.end))) {
          throw invalidCredentials('password changed')
        }
      }

      const { userId, sessionId: earlier, expiresAt: earlierExpiry } = account
      const sessionId = newSessionId()
      const limitMs = budget.commitLimit()
      // Step "commit in D".
      const begun = await accounts.beginSession(
        {
          userId,
          seenStamp: account.stamp,
          verifiedHash: account.passwordHash,
          passwordHash,
          sessionId,
          ttlSeconds,
          deadline: deadlineIn(limitMs, account.clock),
        },
        limitMs + COMMIT_MARGIN_MS,
      )
      // Step "join".
      const written = begun && {
        ...begun,
        joined: await registry.join(
          userId,
          { stamp: begun.stamp, sessionId },
          begun.expiresAt,
          budget.limit(),
        ),
      }

      if (written?.joined !== 'held') {
        // Nothing was committed, or R knows of something later: step "login reads D again".
        const found: Account | undefined = await accounts.findById(userId, budget.limit())
        if (!found) throw invalidCredentials('user deleted')
        requireActive(found)
        account = found
        // A later login is what R knows, and this one is done and superseded. Or D still holds this one, having lost what
        // R remembers: step "repeat above the collided stamp".
        if (written?.joined !== 'newer' || found.sessionId === sessionId) continue
      }
      const { stamp, issuedAt } = written
      if (familiarity !== 'noted') await notePlace(userId, network, budget)
      return {
        token: tokens.sign({ userId, sessionId, stamp, issuedAt, ttl: ttlSeconds }),
        userId,
        sessionId,
        expiresIn: ttlSeconds,
        supersededSessionId: (earlierExpiry ?? 0) > account.clock.database ? earlier : null,
      }
    }
    throw new Unavailable('other logins of this user were faster')
  }

  /**
   * Who holds this token now: the only way in which a token is ever accepted. identify, verify and the
   * preHandler all ask here, so they can never disagree.
   *
   * @throws Refusal a 401 that says why; `token_invalid` and `token_expired` without asking a store.
   * @throws Unavailable when either store did not answer.
   */
  function identify(token: string): Promise<ClaimedSession> {
    // Not async: that would be one more promise for every check.
    try {
      return check(inspect(token))
    } catch (refusal) {
      return Promise.reject(refusal)
    }
  }

  /** Steps "identify reads D" and "identify reads R", for all that ask at the same time. */
  async function checkAll(sessions: readonly ClaimedSession[]): Promise<(ClaimedSession | Error)[]> {
    // Many wait for this, and few for a login.
    passwords.giveWay()
    const userIds = sessions.map(({ userId }) => userId)
    const [standings, entries] = await Promise.all([accounts.findStandings(sessions), registry.read(userIds)])
    return sessions.map((session, index) => judged(session, standings[session.userId], entries[index]))
  }

  /** The session where it lives, and otherwise why it does not. What D and R say is compared as they spell it. */
  function judged(
    session: ClaimedSession,
    standing: string | undefined,
    entry: string | null | undefined | Error,
  ): ClaimedSession | Error {
    const { spelled } = session
    if (entry instanceof Error) return entry
    if (standing !== spelled) return new Refusal(reasonIn(standing))
    if (entry === spelled) return session
    const remembered = parseEntry(entry)
    if (remembered && remembered.stamp >= session.loginTime) {
      // R remembers something later than D does: D has lost it, and what was ended stays ended.
      return new Refusal(endedBy(remembered))
    }
    // R has lost this session.
    if (recovery === 'off') return new Refusal('session_ended')
    repair(session)
    return session
  }

  /** What the token alone says, whoever may be logged in. Touches no store. @throws Refusal */
  function inspect(token: string): ClaimedSession {
    const session = tokens.read(token)
    if (hasExpired(session)) throw new Refusal('token_expired')
    return session
  }

  /**
   * Ends the token's session, and never another one. Ending it again changes nothing and succeeds; an expired
   * token may do it too.
   *
   * @throws Refusal `token_invalid`
   * @throws Unavailable when a store did not acknowledge: the caller must assume that the session lives.
   */
  async function end(token: string): Promise<Session> {
    const budget = startBudget(ANSWER_BUDGET_MS)
    const session = tokens.read(token)
    const { userId, sessionId, loginTime: stamp } = session

    const held = await accounts.findSession(userId)
    if (!held) return session
    const limitMs = budget.commitLimit()
    // Step "end in D".
    const ended = isHeld(held, session)
      ? await accounts.endSession(
          { userId, sessionId, stamp, deadline: deadlineIn(limitMs, held.clock) },
          limitMs + COMMIT_MARGIN_MS,
        )
      : held
    await joinHeld(
      registry,
      ended ?? (await readAfterMiss(session, budget)),
      held.clock.database,
      budget.limit(),
    )
    return session
  }

  /**
   * Sets a new password and ends the session that asked for it.
   *
   * @throws Refusal `invalid_credentials` when the current password is wrong, `invalid_request`
   *   when the wanted one is too easy to guess; a session's 401 when it ended meanwhile.
   * @throws Unavailable
   */
  async function changePassword(
    session: Session,
    { current, wanted, network }: PasswordChange,
  ): Promise<void> {
    const budget = startBudget(HASHING_BUDGET_MS)
    const { userId, sessionId, loginTime: stamp } = session
    const account = await accounts.findById(userId)
    const claimant = { account: account?.mobile ?? '', network }
    const { proved } = await prove(current, account?.passwordHash, { account, claimant, budget })
    if (!account || !proved) throw invalidCredentials('wrong password')
    // Only now: whoever has stolen a token must not learn the mobile number from what is refused.
    await requireUncommon(wanted, 'new', account.mobile)

    const passwordHash = await passwords.hash(wanted, claimant, budget.end)
    const limitMs = budget.commitLimit()
    const ended = await accounts.changePassword(
      {
        userId,
        sessionId,
        stamp,
        verifiedHash: account.passwordHash,
        passwordHash,
        deadline: deadlineIn(limitMs, account.clock),
      },
      limitMs + COMMIT_MARGIN_MS,
    )
    if (!ended) {
      await readAfterMiss(session, budget)
      throw new Refusal('session_ended')
    }
    await joinHeld(registry, ended, account.clock.database, budget.limit())
  }

  /**
   * Whether the password belongs to the hash, as far as the throttle lets it be tried from here.
   *
   * @throws Refusal `too_many_attempts`
   * @throws Unavailable
   */
  async function prove(
    password: string,
    hash: string | undefined,
    { account, claimant, budget }: { account: Account | undefined; claimant: Claimant; budget: Budget },
  ): Promise<{ proved: boolean; familiarity: Familiarity }> {
    // Before the hash, because both can make it needless. Nobody's places are asked for, too, so
    // that an unknown mobile takes the same time.
    const [familiarity] = await Promise.all([
      places.familiarity((account ?? NOBODY).userId, claimant.network),
      proveWritable(account),
    ])
    const proved = await throttle.prove({ ...claimant, isKnown: familiarity !== 'new' }, () =>
      passwords.matches(password, hash, claimant, budget.end),
    )
    return { proved, familiarity }
  }

  /** Lets the user be known here from now on. The login has succeeded, with or without it. */
  async function notePlace(userId: number, network: string, budget: Budget): Promise<void> {
    await places.note(userId, network, budget.limit()).catch((error) => {
      if (!(error instanceof Unavailable)) throw error
    })
  }

  /** Step "canary join": joins what D holds before anything changes: Redis away is found out while the earlier session still lives. */
  async function proveWritable(account: Account | undefined): Promise<void> {
    // Without an account the same write goes to nobody's entry, so that an unknown mobile takes the same time.
    await joinHeld(registry, account ?? NOBODY, Date.now())
  }

  /**
   * Step "repair", behind the answer: brings back what R has lost of a session that D holds, as its token says it, so that a
   * Redis that came back empty costs PostgreSQL nothing more. The next request tries again if this one fails.
   */
  function repair({ userId, loginTime: stamp, sessionId, expiresAt }: Session): void {
    registry.join(userId, { stamp, sessionId }, expiresAt * 1000).catch(() => undefined)
  }

  /** After a statement that changed nothing. @throws Unavailable when it was the deadline that stopped it. */
  async function readAfterMiss(session: Session, budget: Budget): Promise<HeldSession> {
    const held = await accounts.findSession(session.userId, budget.limit())
    if (held && isHeld(held, session)) throw new Unavailable('postgres: the deadline had passed')
    return held ?? { ...NOBODY, userId: session.userId }
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
}

/** Why a session does not live whose user stands otherwise in D. */
function reasonIn(standing: string | undefined) {
  const held = parseEntry(standing)
  return held ? endedBy(held) : 'user_disabled'
}

function endedBy({ sessionId }: RegistryEntry) {
  return sessionId === null ? 'session_ended' : 'session_superseded'
}

function isHeld(held: HeldSession, session: Session): boolean {
  return held.sessionId === session.sessionId && held.stamp === session.loginTime
}

function isActive({ status }: Account): boolean {
  return status === 'active'
}

function requireActive(account: Account): void {
  if (!isActive(account)) throw invalidCredentials('user disabled')
}

function invalidCredentials(reason: string): Refusal {
  return new Refusal('invalid_credentials', { reason })
}

/**
 * 176 random bits (ASVS 7.2.3 asks for 128) in 30 characters: with the stamp before it a registry entry is 44 bytes long,
 * the most that Redis keeps in one piece of memory.
 */
function newSessionId(): string {
  return randomBytes(22).toString('base64url')
}
