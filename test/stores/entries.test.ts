import assert from 'node:assert'
import t from 'tap'
import { postgresStores } from '../../src/stores/stores.js'
import { silent, startBackends, userInserter } from '../helper.js'

t.test('how users stand is read where their rows were found last', async (t) => {
  const { databaseUrl, sql } = await startBackends(t)
  const { accounts, close } = postgresStores({ url: databaseUrl }, silent())
  t.teardown(close)
  const addUser = userInserter(sql)
  const [one, other] = [await addUser(), await addUser({ mobile: '+8613900000002' })]
  const asked = (userId: number) => ({ userId, ctid: undefined as string | undefined })
  const logIn = (userId: number, stamp: number) =>
    sql`update user_login set last_login_stamp = ${stamp}, session_id = ${`s${stamp}`} where user_id = ${userId}`
  const rowOf = async (userId: number) => {
    const [row] = await sql`select ctid::text from user_login where user_id = ${userId}`
    assert(row)
    return row.ctid
  }
  const user = asked(one)

  t.test('nowhere at first, and then noted', async (t) => {
    t.strictSame(await accounts.readEntries([user]), { [one]: '0.' })
    t.equal(user.ctid, await rowOf(one))
  })

  t.test('wherever the next version of the row is', async (t) => {
    await logIn(one, 5)

    t.not(user.ctid, await rowOf(one), 'it has moved')
    t.strictSame(await accounts.readEntries([user]), { [one]: '5.s5' })
    t.equal(user.ctid, await rowOf(one))
    t.strictSame(await accounts.readEntries([user]), { [one]: '5.s5' })
  })

  t.test('also where somebody else’s row is there now', async (t) => {
    user.ctid = await rowOf(other)

    const standings = await accounts.readEntries([user])

    t.equal(standings[one], '5.s5')
    t.equal(user.ctid, await rowOf(one))
  })

  t.test('also when all rows have moved, and for several at once', async (t) => {
    await logIn(other, 6)
    const users = [asked(other), user, asked(one)]
    await accounts.readEntries(users)
    const before = users.map(({ ctid }) => ctid)
    await sql`vacuum full user_login`

    t.strictSame(await accounts.readEntries(users), { [one]: '5.s5', [other]: '6.s6' })
    t.notSame(
      users.map(({ ctid }) => ctid),
      before,
    )
    t.strictSame(await accounts.readEntries(users), { [one]: '5.s5', [other]: '6.s6' })
  })

  t.test('and nowhere when the user is gone', async (t) => {
    await sql`update user_login set status = 'disabled' where user_id = ${one}`
    t.strictSame(await accounts.readEntries([user]), { [one]: 'disabled' })
    await sql`delete from user_login where user_id = ${one}`

    t.strictSame(await accounts.readEntries([user, asked(other)]), { [other]: '6.s6' })
    t.equal(user.ctid, undefined)
  })
})
