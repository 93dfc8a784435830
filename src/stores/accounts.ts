import type { AccountStatements, SessionRow } from './account-statements.js'
import type { Postgres } from './postgres.js'

/** What the authority holds about a user's session. Times in milliseconds of the database's clock. */
export interface HeldSession {
  userId: number
  /** Orders the user's logins and endings; null before the first login. */
  stamp: number | null
  /** The live session, or null when nobody is logged in. */
  sessionId: string | null
  expiresAt: number | null
}

/** What identify has to know about a user, and when the database said it. */
export interface SessionReading extends HeldSession {
  status: 'active' | 'disabled'
  clock: ClockReading
}

export interface Account extends SessionReading {
  mobile: string
  passwordHash: string
  lastLogin: string | null
  createdAt: string
}

/** One moment on two clocks: the database's, in epoch milliseconds, and this process's monotonic one. */
export interface ClockReading {
  database: number
  monotonic: number
}

/** What a login's commit needs. `deadline` in milliseconds of the database's clock. */
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

/** A session that has just been committed. `issuedAt` in seconds, `expiresAt` in milliseconds. */
export interface BegunSession {
  stamp: number
  issuedAt: number
  expiresAt: number
}

export type Accounts = ReturnType<typeof createAccounts>

/**
 * The users and their sessions in PostgreSQL: the authority of the session protocol. Every write is one
 * statement that carries its own deadline, because a statement that the caller gave up can still run: a
 * server that was stopped commits it when it wakes.
 *
 * Every method throws Unavailable when PostgreSQL does not do its part in time.
 */
export function createAccounts(postgres: Pick<Postgres<AccountStatements>, 'run'>) {
  return {
    findByMobile,
    findById,
    findSession,
    findSessions,
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
    ping,
  }

  async function findByMobile(mobile: string): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.findByMobile.execute({ mobile })))
  }

  async function findById(userId: number, limitMs?: number): Promise<Account | undefined> {
    return read(await postgres.run((statements) => statements.findById.execute({ userId }), limitMs))
  }

  async function findSession(userId: number, limitMs?: number): Promise<SessionReading | undefined> {
    return read(await postgres.run((statements) => statements.findSession.execute({ userId }), limitMs))
  }

  /** What is held of each of these users, in their order. */
  async function findSessions(userIds: readonly number[]): Promise<(SessionReading | undefined)[]> {
    const rows = await postgres.run((statements) => statements.findSessions(userIds))
    const monotonic = performance.now()
    const found = new Map(rows.map((row) => [Number(row.user_id), readingOf(row, monotonic)]))
    return userIds.map((userId) => found.get(userId))
  }

  /** The commit point of a login. Undefined when hash, status or stamp have moved, or the deadline has passed. */
  async function beginSession(begin: BeginSession, limitMs: number): Promise<BegunSession | undefined> {
    const [row] = await postgres.run((statements) => statements.beginSession.execute({ ...begin }), limitMs)
    return row && { stamp: held(row.stamp), issuedAt: row.issuedAt, expiresAt: held(row.expiresAt) }
  }

  /** Ends exactly this session. Undefined when it is not the user's session any more, or the deadline has passed. */
  async function endSession(
    end: { userId: number; sessionId: string; stamp: number; deadline: number },
    limitMs: number,
  ): Promise<HeldSession | undefined> {
    const [row] = await postgres.run((statements) => statements.endSession.execute(end), limitMs)
    return row
  }

  /** Sets a new password and ends this session in one statement; the verified hash must still be the stored one. */
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
  ): Promise<HeldSession | undefined> {
    const [row] = await postgres.run((statements) => statements.changePassword.execute(change), limitMs)
    return row
  }

  /** Ends whatever session the user has. Undefined when there is no such user, or the deadline has passed. */
  async function endAnySession(end: { userId: number; deadline: number }): Promise<HeldSession | undefined> {
    const [row] = await postgres.run((statements) => statements.endAnySession.execute(end))
    return row
  }

  /** Refuses the user's logins from now on and ends the session. Undefined as for endAnySession. */
  async function disable(change: { userId: number; deadline: number }): Promise<HeldSession | undefined> {
    const [row] = await postgres.run((statements) => statements.disable.execute(change))
    return row
  }

  /** Lets the user log in again. Undefined as for endAnySession. */
  async function enable(change: { userId: number; deadline: number }): Promise<HeldSession | undefined> {
    const [row] = await postgres.run((statements) => statements.enable.execute(change))
    return row
  }

  /** Sets a new password without asking for the old one, and ends the user's session. */
  async function setPassword(change: {
    userId: number
    passwordHash: string
    deadline: number
  }): Promise<HeldSession | undefined> {
    const [row] = await postgres.run((statements) => statements.setPassword.execute(change))
    return row
  }

  /** Creates an account and gives its id. Undefined when the mobile number is taken. */
  async function add(account: { mobile: string; passwordHash: string }): Promise<number | undefined> {
    const [row] = await postgres.run((statements) => statements.add.execute(account))
    return row?.userId
  }

  /** Whether there is any user at all. */
  async function any(): Promise<boolean> {
    return (await postgres.run((statements) => statements.any.execute())).length > 0
  }

  /** Every session that has not ended or expired. Reads the whole table: for the embedded start only. */
  async function liveSessions(): Promise<HeldSession[]> {
    return postgres.run((statements) => statements.liveSessions.execute(), 10_000)
  }

  async function ping(): Promise<void> {
    await postgres.run((statements) => statements.ping.execute())
  }
}

/** Notes when a row arrived: the database's clock at that moment is at least `now`, so deadlines err to the early side. */
function read<R extends { now: number }>([row]: R[]): (Omit<R, 'now'> & { clock: ClockReading }) | undefined {
  if (!row) return undefined
  const { now, ...rest } = row
  return { ...rest, clock: { database: now, monotonic: performance.now() } }
}

function readingOf(row: SessionRow, monotonic: number): SessionReading {
  return {
    userId: Number(row.user_id),
    stamp: row.last_login_stamp === null ? null : Number(row.last_login_stamp),
    sessionId: row.session_id,
    expiresAt: row.expires_at,
    status: row.status,
    clock: { database: row.now, monotonic },
  }
}

function held<T>(value: T | null): T {
  if (value === null) throw new Error('a committed session has no stamp or expiry')
  return value
}
