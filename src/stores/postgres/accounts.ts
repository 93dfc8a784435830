import type { AccountStatements, CostsOfPage, NewAccount } from './account-statements.js'
import { createEntryReader, type Entries } from './entries.js'
import type { Postgres } from './postgres.js'

/** A user's session state in D. Times in milliseconds of the database's clock. */
export interface SessionState {
  userId: number
  /** Orders the user's logins and endings; null before the first login. */
  stamp: number | null
  /** The live session, or null when nobody is logged in. */
  sessionId: string | null
  expiresAt: number | null
}

/** A session state, the user's status, and when the database read them. */
export interface SessionReading extends SessionState {
  status: 'active' | 'disabled'
  clock: ClockReading
}

/** A user in D. `lastLogin` and `createdAt` in milliseconds since the epoch. */
export interface Account extends SessionReading {
  mobile: string
  passwordHash: string
  lastLogin: number | null
  createdAt: number
}

/**
 * One moment on two clocks: the database's, in epoch milliseconds, and this process's monotonic
 * one.
 */
export interface ClockReading {
  database: number
  monotonic: number
}

/** Parameters of a login's commit. `deadline` in milliseconds of the database's clock. */
export interface BeginSession {
  userId: number
  seenStamp: number | null
  verifiedHash: string
  /** Same as `verifiedHash`, or the same password hashed at a higher cost. */
  passwordHash: string
  sessionId: string
  ttlSeconds: number
  deadline: number
}

/**
 * Parameters of an operator's change to a user. `deadline` in milliseconds of the database's clock.
 */
export interface AccountChange {
  userId: number
  deadline: number
}

/** A session that has just been committed. `issuedAt` in seconds, `expiresAt` in milliseconds. */
export interface BegunSession {
  stamp: number
  issuedAt: number
  expiresAt: number
}

/** The id of no user: ids begin with 1. */
const NOBODY = 0

export type Accounts = ReturnType<typeof createAccounts>

/**
 * D: the users and their session state in PostgreSQL, the authority of the session protocol. Every
 * write is one statement that carries its own deadline, because PostgreSQL may execute a statement
 * after this process stopped waiting for it: a stopped server commits it when it resumes.
 *
 * Every method throws Unavailable when PostgreSQL does not answer in time.
 */
export function createAccounts(postgres: Pick<Postgres<AccountStatements>, 'run' | 'check'>) {
  const entriesOf = createEntryReader()

  return {
    findByMobile,
    findById,
    findSession,
    readEntries,
    beginSession,
    endSession,
    changePassword,
    endAnySession,
    disable,
    enable,
    setPassword,
    add,
    any,
    liveSessions,
    readCosts,
    readClock,
    probe,
  }

  async function findByMobile(mobile: string, limitMs?: number): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.findByMobile.execute({ mobile }), limitMs))
  }

  async function findById(userId: number, limitMs?: number): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.findById.execute({ userId }), limitMs))
  }

  async function findSession(userId: number, limitMs?: number): Promise<SessionReading | undefined> {
    return read(await postgres.run((statements) => statements.findSession.execute({ userId }), limitMs))
  }

  /** The entries of these users in D: exactly what a check compares. */
  function readEntries(userIds: readonly number[]): Promise<Entries> {
    return postgres.check((client) => entriesOf(client, userIds))
  }

  /**
   * The commit point of a login. Undefined when hash, status or stamp has changed, or the deadline
   * has passed.
   */
  async function beginSession(begin: BeginSession, limitMs: number): Promise<BegunSession | undefined> {
    const [row] = await postgres.run((statements) => statements.beginSession.execute({ ...begin }), limitMs)
    return row && { stamp: held(row.stamp), issuedAt: row.issuedAt, expiresAt: held(row.expiresAt) }
  }

  /**
   * Ends exactly this session. Undefined when it is no longer the user's session, or the deadline
   * has passed.
   */
  async function endSession(
    end: { userId: number; sessionId: string; stamp: number; deadline: number },
    limitMs: number,
  ): Promise<SessionState | undefined> {
    const [row] = await postgres.run((statements) => statements.endSession.execute(end), limitMs)
    return row
  }

  /**
   * Sets a new password and ends this session, in one statement. Undefined when the session, the
   * stored hash or the status has changed, or the deadline has passed.
   */
  async function changePassword(
    change: {
      userId: number
      sessionId: string
      stamp: number
      verifiedHash: string
      passwordHash: string
      deadline: number
    },
    limitMs: number,
  ): Promise<SessionState | undefined> {
    const [row] = await postgres.run((statements) => statements.changePassword.execute(change), limitMs)
    return row
  }

  /**
   * Ends the user's session, if any. Returns the account as it is afterwards; undefined when there
   * is no such user, or the deadline has passed.
   */
  async function endAnySession(change: AccountChange, limitMs: number): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.endAnySession.execute({ ...change }), limitMs))
  }

  /**
   * Disables the user, which refuses further logins, and ends the session. Returns the same as
   * endAnySession.
   */
  async function disable(change: AccountChange, limitMs: number): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.disable.execute({ ...change }), limitMs))
  }

  /** Allows the user to log in again. Returns the same as endAnySession. */
  async function enable(change: AccountChange, limitMs: number): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.enable.execute({ ...change }), limitMs))
  }

  /**
   * Sets a new password without asking for the old one, and ends the session. Returns the same as
   * endAnySession.
   */
  async function setPassword(
    change: AccountChange & { passwordHash: string },
    limitMs: number,
  ): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.setPassword.execute({ ...change }), limitMs))
  }

  /** Creates an account. Undefined when the mobile number is taken, or the deadline has passed. */
  async function add(
    account: NewAccount,
    limitMs: number,
  ): Promise<Pick<Account, 'userId' | 'createdAt'> | undefined> {
    const row = await postgres.run((statements) => statements.add(account), limitMs)
    return row && { userId: Number(row.user_id), createdAt: row.created_at }
  }

  /** Whether any user exists. */
  async function any(): Promise<boolean> {
    return (await postgres.run((statements) => statements.any.execute())).length > 0
  }

  /**
   * Every session that has not ended or expired. Reads the whole table: for the embedded start
   * only.
   */
  async function liveSessions(): Promise<SessionState[]> {
    return postgres.run((statements) => statements.liveSessions.execute(), 10_000)
  }

  /** The bcrypt costs of the next `rows` users whose id is above `after`. */
  function readCosts(after: number, rows: number): Promise<CostsOfPage> {
    return postgres.run((statements) => statements.readCosts(after, rows))
  }

  /** The database's clock now, for the deadline of a statement that no read precedes. */
  async function readClock(): Promise<ClockReading> {
    const [row] = await postgres.run((statements) => statements.readClock.execute())
    if (!row) throw new Error('a select without a table gave no row')
    return { database: row.now, monotonic: performance.now() }
  }

  /** Reads nobody's row over both kinds of connections: whether users can be read now. */
  async function probe(): Promise<void> {
    await Promise.all([readEntries([NOBODY]), findSession(NOBODY)])
  }
}

/**
 * Adds when the row arrived. The database's clock is at least `now` at that moment, so deadlines
 * err on the early side.
 */
function read<R extends { now: number }>([row]: R[]): (Omit<R, 'now'> & { clock: ClockReading }) | undefined {
  if (!row) return undefined
  const { now, ...rest } = row
  return { ...rest, clock: { database: now, monotonic: performance.now() } }
}

function held<T>(value: T | null): T {
  if (value === null) throw new Error('a committed session has no stamp or expiry')
  return value
}
