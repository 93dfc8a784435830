import { and, eq, isNotNull, type SQL, sql } from 'drizzle-orm'
import { createPostgres, type Database, type PostgresAddress } from './postgres.js'
import type { StoreLog } from './store-call.js'
import { userLogin } from './tables.js'

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
export function createAccounts({ address, log }: { address: PostgresAddress; log: StoreLog }) {
  const postgres = createPostgres({ address, log, prepare: prepareStatements })

  return {
    findByMobile,
    findById,
    findSession,
    beginSession,
    endSession,
    changePassword,
    endAnySession,
    setStatus,
    setPassword,
    add,
    any,
    liveSessions,
    ping,
    close: postgres.close,
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

  /** Enables or disables the account; either way nobody stays logged in. */
  async function setStatus(change: {
    userId: number
    status: Account['status']
    deadline: number
  }): Promise<HeldSession | undefined> {
    const [row] = await postgres.run((statements) => statements.setStatus.execute(change))
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

function held<T>(value: T | null): T {
  if (value === null) throw new Error('a committed session has no stamp or expiry')
  return value
}

function prepareStatements(database: Database) {
  const { placeholder } = sql
  const now = sql`clock_timestamp()`
  const nowMs = inMilliseconds(now)

  // Strictly increasing per user, and ahead of a database that came back without its last commits.
  const nextStamp = sql`greatest(${userLogin.lastLoginStamp} + 1, (${nowMs})::bigint)`
  const heldSession = {
    userId: userLogin.userId,
    stamp: userLogin.lastLoginStamp,
    sessionId: userLogin.sessionId,
    expiresAt: sql<number | null>`${inMilliseconds(sql`${userLogin.sessionExpiresAt}`)}`
      .mapWith(Number)
      .as('expires_at'),
  }
  const session = {
    ...heldSession,
    status: userLogin.status,
    now: sql<number>`${nowMs}`.mapWith(Number).as('now'),
  }
  const account = {
    ...session,
    mobile: userLogin.mobile,
    passwordHash: userLogin.password,
    lastLogin: userLogin.lastLogin,
    createdAt: userLogin.createdAt,
  }
  const sameUser = eq(userLogin.userId, placeholder('userId'))
  const beforeDeadline = sql`${nowMs} < ${placeholder('deadline')}::double precision`
  const sameSession = and(
    sql`${userLogin.sessionId} = ${placeholder('sessionId')}`,
    sql`${userLogin.lastLoginStamp} = ${placeholder('stamp')}::bigint`,
  )
  const sameHash = sql`${userLogin.password} = ${placeholder('verifiedHash')}`
  const isActive = eq(userLogin.status, 'active')
  const ended = { sessionId: null, lastLoginStamp: nextStamp }
  const newHash = { password: sql`${placeholder('passwordHash')}` }

  const update = (
    name: string,
    set: Parameters<ReturnType<typeof database.update<typeof userLogin>>['set']>[0],
    where: SQL | undefined,
  ) => database.update(userLogin).set(set).where(where).returning(heldSession).prepare(name)

  return {
    findByMobile: database
      .select(account)
      .from(userLogin)
      .where(eq(userLogin.mobile, placeholder('mobile')))
      .prepare('find_by_mobile'),
    findById: database.select(account).from(userLogin).where(sameUser).prepare('find_by_id'),
    findSession: database.select(session).from(userLogin).where(sameUser).prepare('find_session'),

    beginSession: database
      .update(userLogin)
      .set({
        ...newHash,
        lastLoginStamp: nextStamp,
        lastLogin: now,
        sessionId: sql`${placeholder('sessionId')}`,
        sessionExpiresAt: sql`${now} + make_interval(secs => ${placeholder('ttlSeconds')}::double precision)`,
      })
      .where(
        and(
          sameUser,
          sameHash,
          isActive,
          sql`${userLogin.lastLoginStamp} is not distinct from ${placeholder('seenStamp')}::bigint`,
          beforeDeadline,
        ),
      )
      .returning({
        stamp: heldSession.stamp,
        expiresAt: heldSession.expiresAt,
        issuedAt: sql<number>`floor(extract(epoch from ${now}))::bigint`.mapWith(Number).as('issued_at'),
      })
      .prepare('begin_session'),

    endSession: update('end_session', ended, and(sameUser, sameSession, beforeDeadline)),
    changePassword: update(
      'change_password',
      { ...ended, ...newHash },
      and(sameUser, sameSession, sameHash, isActive, beforeDeadline),
    ),
    endAnySession: update('end_any_session', ended, and(sameUser, beforeDeadline)),
    setStatus: update(
      'set_status',
      { ...ended, status: sql`${placeholder('status')}` },
      and(sameUser, beforeDeadline),
    ),
    setPassword: update('set_password', { ...ended, ...newHash }, and(sameUser, beforeDeadline)),

    add: database
      .insert(userLogin)
      .values({ mobile: placeholder('mobile'), password: placeholder('passwordHash') })
      .onConflictDoNothing({ target: userLogin.mobile })
      .returning({ userId: userLogin.userId })
      .prepare('add_user'),
    any: database.select({ userId: userLogin.userId }).from(userLogin).limit(1).prepare('any_user'),
    liveSessions: database
      .select(heldSession)
      .from(userLogin)
      .where(and(isNotNull(userLogin.sessionId), sql`${userLogin.sessionExpiresAt} > ${now}`))
      .prepare('live_sessions'),
    ping: database.select({ one: sql<number>`1` }).from(sql`(values (1)) as one`).prepare('ping'),
  }
}

/** A time in milliseconds as floating point: a JavaScript Date would cut the microseconds off. */
function inMilliseconds(time: SQL): SQL {
  return sql`(extract(epoch from ${time}) * 1000)::double precision`
}
