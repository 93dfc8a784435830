import { type SQL, sql } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { Sql } from 'postgres'
import { userLogin } from './schema.js'

/**
 * By user id, of those that there are: the entry of an active user, as in the registry, or the
 * status of another.
 */
export type Entries = Partial<Record<number, string>>

/**
 * A user who may be asked about many times. Where the row was found last is noted here, and looked
 * at first: an index of many users costs PostgreSQL more than the row itself.
 */
export interface AskedUser {
  userId: number
  /**
   * Block and item, as PostgreSQL spells them. Only a hint: what moves the row makes it useless, and
   * never wrong.
   */
  ctid: string | undefined
}

/** `<stamp>.<session id>`, a tombstone `<stamp>.`; the status of whoever is not active. */
const entry = sql`case ${userLogin.status} when 'active'
  then coalesce(${userLogin.lastLoginStamp}, 0) || '.' || coalesce(${userLogin.sessionId}, '') else ${userLogin.status} end`

/** Each: the row's ctid, a space, and the entry. */
const entriesOfUsers = entriesWhere(
  sql`ctid || ' ' || ${entry}`,
  sql`${userLogin.userId} = any(${sql.placeholder('userIds')}::bigint[])`,
)

/**
 * Only the visible version of a row is found, as by any other condition, so an outdated ctid gives
 * nothing, or the row of somebody else. It costs PostgreSQL a quarter less, and half as much where
 * there are a million users.
 */
const entriesAt = entriesWhere(entry, sql`ctid = any(${sql.placeholder('ctids')}::tid[])`)

/** What D says of these users: what a check compares, and nothing more. */
export async function readEntries(client: Sql, users: readonly AskedUser[]): Promise<Entries> {
  const ctids = users.flatMap(({ ctid }) => ctid ?? [])
  const found =
    ctids.length === users.length ? await query(client, entriesAt, `{"${ctids.join('","')}"}`) : {}
  const missing = users.filter(({ userId }) => found[userId] === undefined)
  if (missing.length === 0) return found
  const userIds = missing.map(({ userId }) => userId)
  const located = await query(client, entriesOfUsers, `{${userIds.join()}}`)
  return { ...found, ...noteRows(located, missing) }
}

/** Notes with each user where the row is, and gives the entries alone. */
function noteRows(located: Entries, users: readonly AskedUser[]): Entries {
  const entries: Entries = {}
  for (const user of users) {
    const [ctid, entry] = located[user.userId]?.split(' ') ?? []
    user.ctid = ctid
    if (entry !== undefined) entries[user.userId] = entry
  }
  return entries
}

/** `list`: an array as PostgreSQL spells it. */
async function query(client: Sql, text: string, list: string): Promise<Entries> {
  const [row] = await client.unsafe(text, [list], { prepare: true }).values()
  return row?.[0] ?? {}
}

/** All in one value, because each row and column would cost a check its share. */
function entriesWhere(value: SQL, where: SQL): string {
  const statement = sql`select json_object_agg(${userLogin.userId}, ${value}) from ${userLogin} where ${where}`
  return new PgDialect().sqlToQuery(statement).sql
}
