import { type SQL, sql } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import { LRUCache } from 'lru-cache'
import type { Client } from './connections.js'
import { userLogin } from './schema.js'

/** By user id, for users that exist: the entry of an active user, as in R, otherwise the status. */
export type Entries = Partial<Record<number, string>>

/** As many rows as there are remembered tokens. */
const REMEMBERED_ROWS = 10_000

/** `<stamp>.<session id>` (a tombstone `<stamp>.`) if active, otherwise the status. */
const entry = sql`case ${userLogin.status} when 'active'
  then coalesce(${userLogin.lastLoginStamp}, 0) || '.' || coalesce(${userLogin.sessionId}, '') else ${userLogin.status} end`

/** Per user: the row's ctid, a space, and the entry. */
const entriesOfUsers = entriesWhere(
  sql`ctid || ' ' || ${entry}`,
  sql`${userLogin.userId} = any(${sql.placeholder('userIds')}::bigint[])`,
)

/**
 * Like any condition, it finds only the visible version of a row: an outdated ctid gives nothing,
 * or another user's row.
 */
const entriesAt = entriesWhere(entry, sql`ctid = any(${sql.placeholder('ctids')}::tid[])`)

/**
 * Reads the entries of many users in D. It first tries the ctid where a user's row was found last:
 * an index of many users costs PostgreSQL more than the row itself. The ctid is only a hint: a row
 * that has moved makes it useless, never wrong. What it buys is in docs/performance.md.
 *
 * @param rows the ctid of each user's row, in PostgreSQL's notation: block and item.
 */
export function createEntryReader(rows = new LRUCache<number, string>({ max: REMEMBERED_ROWS })) {
  return async function readEntries(client: Client, userIds: readonly number[]): Promise<Entries> {
    const ctids = userIds.flatMap((userId) => rows.get(userId) ?? [])
    const found =
      ctids.length === userIds.length ? await query(client, entriesAt, `{"${ctids.join('","')}"}`) : {}
    const missing = userIds.filter((userId) => found[userId] === undefined)
    if (missing.length === 0) return found
    const located = await query(client, entriesOfUsers, `{${missing.join()}}`)
    return { ...found, ...noteRows(located, missing) }
  }

  /** Remembers where each user's row is, and returns the entries alone. */
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

/** `list`: an array in PostgreSQL's notation. */
async function query(client: Client, text: string, list: string): Promise<Entries> {
  const [row] = await client.unsafe(text, [list], { prepare: true }).values()
  return row?.[0] ?? {}
}

/** Everything in one value, because each row and column adds to the cost of a check. */
function entriesWhere(value: SQL, where: SQL): string {
  const statement = sql`select json_object_agg(${userLogin.userId}, ${value}) from ${userLogin} where ${where}`
  return new PgDialect().sqlToQuery(statement).sql
}
