import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { PASSWORD } from '../helper.js'
import { patiently, startSiblingScene } from '../support/sibling-scene.js'

t.test('two changes at the same time, one on each instance', async (t) => {
  const { userId, here, there, tryLogin, login, identify, refused } = await startSiblingScene(t)

  t.test('200 for both of disabling and enabling, and one final status, 30 times', async (t) => {
    for (let round = 0; round < 30; round++) {
      const token = await login()
      const [disabled, enabled] = await Promise.all([
        here.setStatus(userId, 'disabled'),
        there.setStatus(userId, 'active'),
      ])

      t.match(disabled, { status: 200, body: { data: { status: 'disabled', logged_in: false } } })
      t.match(enabled, { status: 200, body: { data: { status: 'active' } } })
      const [seenHere, seenThere] = await Promise.all([here.find(userId), there.find(userId)])
      t.strictSame(seenHere.body, seenThere.body)
      const isActive = seenHere.body.data.status === 'active'
      await refused(t, token, isActive ? 'session_ended' : 'user_disabled')
      await here.setStatus(userId, 'active')
    }
  })

  t.test('200 for both of disabling twice, 5 times', async (t) => {
    for (let round = 0; round < 5; round++) {
      const token = await login()
      const answers = await Promise.all([
        here.setStatus(userId, 'disabled'),
        there.setStatus(userId, 'disabled'),
      ])

      for (const answer of answers) t.match(answer, { status: 200, body: { data: { status: 'disabled' } } })
      await refused(t, token, 'user_disabled')
      await here.setStatus(userId, 'active')
    }
  })

  t.test('401 for the older session after a new login and DELETE of the session, 20 times', async (t) => {
    for (let round = 0; round < 20; round++) {
      const older = await login()
      const [newer, ended] = await Promise.all([
        login(),
        sleep(5 * round).then(() => there.endSession(userId)),
      ])

      t.equal(ended.status, 200)
      for (const answer of await identify(older)) t.equal(answer.status, 401)
      const [seenHere, seenThere] = await identify(newer)
      t.strictSame(seenHere?.body, seenThere?.body, 'the newer one lives or not, but everywhere')
    }
  })

  t.test('200 for both of two new passwords, of which exactly one logs in, 8 times', async (t) => {
    const passwords = ['nine folded tents', 'ten folded sails!'] as const
    let current = PASSWORD
    for (let round = 0; round < 8; round++) {
      const token = await login(current)
      const set = await Promise.all([
        here.setPassword(userId, passwords[0]),
        there.setPassword(userId, passwords[1]),
      ])

      t.strictSame(
        set.map(({ status }) => status),
        [200, 200],
      )
      await refused(t, token, 'session_ended')
      const logins = await Promise.all(passwords.map((password) => patiently(() => tryLogin(password))))
      t.strictSame(logins.map(({ status }) => status).sort(), [200, 401])
      current = passwords[logins[0]?.status === 200 ? 0 : 1]
    }
  })

  t.test(
    '409 mobile_taken with the id of the user for one of two additions of the same user, 8 times',
    async (t) => {
      for (let round = 0; round < 8; round++) {
        const user = { mobile: `+86139001390${10 + round}`, password: PASSWORD }
        const answers = await Promise.all([here.add(user), there.add(user)])

        t.ok(answers.filter(({ status }) => status === 200).length <= 1)
        t.ok(answers.some(({ status, body }) => status === 409 && body.error === 'mobile_taken'))
        const [id, other] = answers.map(({ body }) => body.data.user_id)
        t.equal(id, other)
        t.ok(await login(user.password, user.mobile))
      }
    },
  )
})
