import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { PASSWORD } from './helper.js'
import { startSiblingScene, tokenOf } from './support/sibling-scene.js'

const ROUNDS = 50
const ROUNDS_OF_ENDINGS = 20
const NEW_PASSWORD = 'eight dry parasols'

t.test('a login on one instance, and a change of its user on the other', async (t) => {
  const { userId, here, there, login, identify, refused } = await startSiblingScene(t)
  const loginMs = await usualDuration(login)

  t.test(`disabled meanwhile, ${ROUNDS} times: nobody is in afterwards`, async (t) => {
    const outcomes = { before: 0, refused: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const [loggedIn, disabled] = await Promise.all([
        login(),
        sleep(momentOf(round)).then(() => there.setStatus(userId, 'disabled')),
      ])

      t.match(disabled, { status: 200, body: { data: { status: 'disabled' } } })
      if (loggedIn.status === 200) {
        outcomes.before++
        await refused(t, tokenOf(loggedIn), 'user_disabled')
        await here.setStatus(userId, 'active')
        await refused(t, tokenOf(loggedIn), 'session_ended')
      } else {
        outcomes.refused++
        t.match(loggedIn, { status: 401, body: { error: 'invalid_credentials' } })
        await here.setStatus(userId, 'active')
      }
    }
    t.ok(outcomes.before > 0 && outcomes.refused > 0, JSON.stringify(outcomes))
  })

  t.test(`its password set meanwhile, ${ROUNDS} times: nobody is in with the old one`, async (t) => {
    const outcomes = { before: 0, refused: 0 }
    let [password, next] = [PASSWORD, NEW_PASSWORD]
    for (let round = 0; round < ROUNDS; round++) {
      const [set, loggedIn] = await Promise.all([
        there.setPassword(userId, next),
        sleep(momentOf(round)).then(() => login(password)),
      ])

      t.equal(set.status, 200)
      if (loggedIn.status === 200) {
        outcomes.before++
        await refused(t, tokenOf(loggedIn), 'session_ended')
      } else {
        outcomes.refused++
        t.match(loggedIn, { status: 401, body: { error: 'invalid_credentials' } })
      }
      ;[password, next] = [next, password]
    }
    t.ok(outcomes.refused > 0, JSON.stringify(outcomes))
    t.equal((await login(password)).status, 200)
    await here.setPassword(userId, PASSWORD)
  })

  t.test(`the session before it ended meanwhile, ${ROUNDS_OF_ENDINGS} times: that one is over`, async (t) => {
    for (let round = 0; round < ROUNDS_OF_ENDINGS; round++) {
      const older = tokenOf(await login())
      const [loggedIn, ended] = await Promise.all([
        login(),
        sleep(momentOf(round, ROUNDS_OF_ENDINGS)).then(() => there.endSession(userId)),
      ])

      t.strictSame([loggedIn.status, ended.status], [200, 200])
      for (const answer of await identify(older)) t.equal(answer.status, 401)
      const [seenHere, seenThere] = await identify(tokenOf(loggedIn))
      t.strictSame(seenHere?.body, seenThere?.body, 'the newer one lives or not, but everywhere')
    }
  })

  /** From the very start of a login to well after its end, over the rounds. */
  function momentOf(round: number, rounds = ROUNDS): number {
    return (1.5 * loginMs * round) / rounds
  }
})

async function usualDuration(work: () => Promise<unknown>): Promise<number> {
  await work()
  const started = performance.now()
  await work()
  return performance.now() - started
}
