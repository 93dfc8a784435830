import assert from 'node:assert'
import { LRUCache } from 'lru-cache'
import postgres from 'postgres'
import t from 'tap'
import { createEntryReader } from '../../src/stores/postgres/entries.js'
import { startBackends, userInserter } from '../helper.js'

t.test('reading entries of D', async (t) => {
  const { databaseUrl, sql } = await startBackends(t)
  const client = postgres(databaseUrl, { max: 1 })
  t.teardown(() => client.end())
  const addUser = userInserter(sql)
  const [one, other] = [await addUser(), await addUser({ mobile: '+8613900000002' })]
  const rows = new LRUCache<number, string>({ max: 10 })
  const reader = createEntryReader(rows)
  const read = (...userIds: number[]) => reader(client, userIds)
  const logIn = (userId: number, stamp: number) =>
    sql`update user_login set last_login_stamp = ${stamp}, session_id = ${`s${stamp}`} where user_id = ${userId}`
  const rowOf = async (userId: number): Promise<string> => {
    const [row] = await sql`select ctid::text from user_login where user_id = ${userId}`
    assert(row)
    return row.ctid
  }

  t.test('reads by the index at first, and notes the place of the row', async (t) => {
    t.strictSame(await read(one), { [one]: '0.' })
    t.equal(rows.get(one), await rowOf(one))
  })

  t.test('reads by the index again once the row has moved', async (t) => {
    await logIn(one, 5)

    t.not(rows.get(one), await rowOf(one), 'it has moved')
    t.strictSame(await read(one), { [one]: '5.s5' })
    t.equal(rows.get(one), await rowOf(one))
    t.strictSame(await read(one), { [one]: '5.s5' })
  })

  t.test('reads by the index where the row of another user is in that place', async (t) => {
    rows.set(one, await rowOf(other))

    const entries = await read(one)

    t.equal(entries[one], '5.s5')
    t.equal(rows.get(one), await rowOf(one))
  })

  t.test('reads by the index for several users whose rows have all moved', async (t) => {
    await logIn(other, 6)
    await read(other, one, one)
    const before = [rows.get(one), rows.get(other)]
    await sql`vacuum full user_login`

    t.strictSame(await read(other, one, one), { [one]: '5.s5', [other]: '6.s6' })
    t.notSame([rows.get(one), rows.get(other)], before)
    t.strictSame(await read(other, one, one), { [one]: '5.s5', [other]: '6.s6' })
  })

  t.test('reads the status of a disabled user, and nothing of a deleted one', async (t) => {
    await sql`update user_login set status = 'disabled' where user_id = ${one}`
    t.strictSame(await read(one), { [one]: 'disabled' })
    await sql`delete from user_login where user_id = ${one}`

    t.strictSame(await read(one, other), { [other]: '6.s6' })
    t.equal(rows.get(one), undefined)
  })
})
