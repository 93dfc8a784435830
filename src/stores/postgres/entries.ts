import { type SQL, sql } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import { LRUCache } from 'lru-cache'
import type { Sql } from 'postgres'
import { userLogin } from './schema.js'

/**
 * By user id, of those that there are: the entry of an active user, as in the registry, or the
 * status of another.
 */
export type Entries = Partial<Record<number, string>>

/** Users whose rows are remembered by where they were: as many as there are remembered tokens. */
const REMEMBERED_ROWS = 10_000

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

/**
 * Reads what D says of many users. A user's row is looked for first where it was found last, at its
 * ctid: the index of many users costs PostgreSQL more than the row itself. That is only a hint, for
 * what moves the row makes it useless, and never wrong. docs/performance.md says what it buys.
 *
 * @param rows the ctid of each user's row, as PostgreSQL spells it: block and item.
 */
export function createEntryReader(rows = new LRUCache<number, string>({ max: REMEMBERED_ROWS })) {
  return async function readEntries(client: Sql, userIds: readonly number[]): Promise<Entries> {
    const ctids = userIds.flatMap((userId) => rows.get(userId) ?? [])
    const found =
      ctids.length === userIds.length ? await query(client, entriesAt, `{"${ctids.join('","')}"}`) : {}
    const missing = userIds.filter((userId) => found[userId] === undefined)
    if (missing.length === 0) return found
    const located = await query(client, entriesOfUsers, `{${missing.join()}}`)
    return { ...found, ...noteRows(located, missing) }
  }

  /** Notes where each user's row is, and gives the entries alone. */
  function noteRows(located: Entries, userIds: readonly number[]): Entries {
    const entries: Entries = {}
    for (const userId of userIds) {
      const [ctid, entry] = located[userId]?.split(' ') ?? []
      rows.set(userId, ctid)
      if (entry !== undefined) entries[userId] = entry
    }
    return entries
  }
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
