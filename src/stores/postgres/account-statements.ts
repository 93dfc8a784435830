import { and, eq, isNotNull, type SQL, sql } from 'drizzle-orm'
import { PgDialect, type PgUpdateSetSource } from 'drizzle-orm/pg-core'
import type { Database } from './postgres.js'
import { userLogin } from './schema.js'

/**
 * All statements on accounts, prepared. Each write carries its own deadline, in milliseconds of the
 * database's clock, and repeats in its WHERE what must still hold. No row means that something has
 * changed, or that the deadline has passed.
 */
export function prepareAccountStatements(database: Database) {
  const { placeholder } = sql
  const now = sql`clock_timestamp()`
  const nowMs = inMilliseconds(now)

  // Strictly increasing per user, and above the stamps that a restored database has lost.
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
    lastLogin: sql<number | null>`${inMilliseconds(sql`${userLogin.lastLogin}`)}`
      .mapWith(Number)
      .as('last_login'),
    createdAt: sql<number>`${inMilliseconds(sql`${userLogin.createdAt}`)}`.mapWith(Number).as('created_at'),
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

  /** As text: drizzle cannot insert conditionally. Built once, like the prepared statements. */
  const addUser = new PgDialect().sqlToQuery(sql`
    insert into ${userLogin} (mobile, password)
    select ${placeholder('mobile')}::text, ${placeholder('passwordHash')}::text where ${beforeDeadline}
    on conflict (mobile) do nothing
    returning user_id, ${inMilliseconds(sql`created_at`)} as created_at`).sql

  async function add({ mobile, passwordHash, deadline }: NewAccount): Promise<AddedRow | undefined> {
    const values = [mobile, passwordHash, deadline]
    const [row] = await database.$client.unsafe<AddedRow[]>(addUser, values, { prepare: true })
    return row
  }

  // A regular expression would take PostgreSQL ten times as long.
  const costsOfPage = new PgDialect().sqlToQuery(sql`
    select max(user_id)::float8 as last, coalesce(json_agg(distinct substr(password, 5, 2)) filter (
             where length(password) = 60 and left(password, 4) in ('$2a$', '$2b$', '$2y$')), '[]') as costs
    from (select user_id, password from ${userLogin} where user_id > ${placeholder('after')}::bigint
          order by user_id limit ${placeholder('rows')}::int) as page`).sql

  async function readCosts(after: number, rows: number): Promise<CostsOfPage> {
    const values = [after, rows]
    const [page] = await database.$client.unsafe<CostsOfPage[]>(costsOfPage, values, { prepare: true })
    return page ?? { last: null, costs: [] }
  }

  const change = (set: Changes, where: SQL | undefined) => database.update(userLogin).set(set).where(where)
  const update = (name: string, set: Changes, where: SQL | undefined) =>
    change(set, where).returning(heldSession).prepare(name)
  /** Changes by operators; they return the account as it is afterwards. */
  const administer = (name: string, set: Changes) =>
    change(set, and(sameUser, beforeDeadline)).returning(account).prepare(name)

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
    endAnySession: administer('end_any_session', ended),
    disable: administer('disable', { ...ended, status: 'disabled' }),
    enable: administer('enable', { status: 'active' }),
    setPassword: administer('set_password', { ...ended, ...newHash }),

    add,
    readCosts,
    any: database.select({ userId: userLogin.userId }).from(userLogin).limit(1).prepare('any_user'),
    liveSessions: database
      .select(heldSession)
      .from(userLogin)
      .where(and(isNotNull(userLogin.sessionId), sql`${userLogin.sessionExpiresAt} > ${now}`))
      .prepare('live_sessions'),
    readClock: database.select({ now: session.now }).from(sql`(values (1)) as one`).prepare('read_clock'),
  }
}

export type AccountStatements = ReturnType<typeof prepareAccountStatements>

type Changes = PgUpdateSetSource<typeof userLogin>

/** A new account. `deadline` in milliseconds of the database's clock. */
export interface NewAccount {
  mobile: string
  passwordHash: string
  deadline: number
}

/** A row of `add` as the driver gives it: bigint as text. */
interface AddedRow {
  user_id: string
  created_at: number
}

/**
 * One page of users. `costs`: the distinct bcrypt costs of their hashes, as text. `last`: the last
 * user id, null if the page is empty.
 */
export interface CostsOfPage {
  last: number | null
  costs: string[]
}

/** A time in milliseconds, as floating point: a JavaScript Date would drop the microseconds. */
function inMilliseconds(time: SQL): SQL {
  return sql`(extract(epoch from ${time}) * 1000)::double precision`
}
