import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Answer, PASSWORD } from '../helper.js'
import { patiently, startSiblingScene } from '../support/sibling-scene.js'

const ROUNDS = 50
const NEW_PASSWORD = 'eight dry parasols'

t.test('a login on one instance while the other changes its user', async (t) => {
  const { userId, here, there, tryLogin, login, refused } = await startSiblingScene(t)
  const loginMs = await usualDuration(() => patiently(() => tryLogin()))

  t.test(`401 user_disabled after a login during which the user is disabled, ${ROUNDS} times`, async (t) => {
    const outcomes: Answer[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const [loggedIn, disabled] = await Promise.all([
        tryLogin(),
        sleep(momentOf(round)).then(() => there.setStatus(userId, 'disabled')),
      ])

      t.match(disabled, { status: 200, body: { data: { status: 'disabled' } } })
      const token = tokenIn(loggedIn)
      if (token) await refused(t, token, 'user_disabled')
      t.equal((await here.setStatus(userId, 'active')).status, 200)
      if (token) await refused(t, token, 'session_ended')
      outcomes.push(loggedIn)
    }
    t.ok(outcomes.some(({ status }) => status === 401))
  })

  t.test(`401 session_ended after a login during which a new password is set, ${ROUNDS} times`, async (t) => {
    const outcomes: Answer[] = []
    let [password, next] = [PASSWORD, NEW_PASSWORD]
    for (let round = 0; round < ROUNDS; round++) {
      // It hashes, as a login does, and commits in the middle of the logins that begin after it.
      const [set, loggedIn] = await Promise.all([
        sleep(loginMs / 2).then(() => there.setPassword(userId, next)),
        sleep(momentOf(round)).then(() => tryLogin(password)),
      ])

      t.equal(set.status, 200)
      const token = tokenIn(loggedIn)
      if (token) await refused(t, token, 'session_ended')
      outcomes.push(loggedIn)
      ;[password, next] = [next, password]
    }
    t.ok(outcomes.some(({ status }) => status === 401))
    t.ok(await login(password))
    await here.setPassword(userId, PASSWORD)
  })

  /** The delay in ms: over the rounds from the start of a login to well after its end. */
  function momentOf(round: number): number {
    return (1.5 * loginMs * round) / ROUNDS
  }
})

/** The token of a login that succeeded, undefined for one that was refused. */
function tokenIn({ status, body }: Answer): string | undefined {
  if (status === 200) return body.data.token
  if (status === 401 || status === 503) return undefined
  throw new Error(`login: ${status} ${body.error}`)
}

async function usualDuration(work: () => Promise<unknown>): Promise<number> {
  await work()
  const started = performance.now()
  await work()
  return performance.now() - started
}
