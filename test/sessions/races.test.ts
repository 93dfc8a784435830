import t from 'tap'
import { environmentOf, logIn, MOBILE, PASSWORD, send, startBackends, userInserter } from '../helper.js'
import { startService } from '../support/service-process.js'

const ROUNDS = 200

/** Rounds that are repeated, because the machine was too busy to hash in time: they are no race. */
const REFUSED_ROUNDS = 10

t.test('two instances in two processes', async (t) => {
  const backends = await startBackends(t)
  await userInserter(backends.sql)()
  const instances = await Promise.all(
    [1, 2].map(() => startService(t, { env: { ...environmentOf(backends), LOG_LEVEL: 'warn' } })),
  )
  const urls = instances.map(({ url }) => url)
  const identifyOn = async (url: string, token: string) =>
    (await send(url, 'GET', '/identify', { token })).status

  t.test(`exactly one live session after two logins at the same time, ${ROUNDS} times`, async (t) => {
    const live = { both: 0, neither: 0, one: 0 }
    let refusedRounds = 0
    while (live.both + live.neither + live.one < ROUNDS && refusedRounds <= REFUSED_ROUNDS) {
      const answers = await Promise.all(urls.map(login))
      const tokens = answers.flatMap(({ status, body }) =>
        status === 200 ? [body.data.token as string] : [],
      )
      t.strictSame(
        answers
          .filter(({ status }) => status !== 200 && status !== 503)
          .map(({ status, body }) => [status, body]),
        [],
      )

      // Both instances must agree.
      const [here, there] = await Promise.all(
        urls.map((url) => Promise.all(tokens.map((token) => identifyOn(url, token)))),
      )
      t.strictSame(here, there)
      const accepted = here?.filter((status) => status === 200).length ?? 0
      if (tokens.length < answers.length && accepted < 2) refusedRounds++
      else if (accepted === 1) live.one++
      else if (accepted === 0) live.neither++
      else live.both++
    }

    t.strictSame(live, { both: 0, neither: 0, one: ROUNDS })
    t.ok(refusedRounds <= REFUSED_ROUNDS, `${refusedRounds} rounds were refused`)
  })

  t.test(
    '200 for the newer session after a login and a logout of the older at the same time, 50 times',
    async (t) => {
      for (let round = 0; round < 50; round++) {
        const [first, second] = urls as [string, string]
        const older = await logIn(first)
        const [newer, loggedOut] = await Promise.all([
          logIn(second),
          send(first, 'POST', '/logout', { token: older }),
        ])

        t.equal(loggedOut.status, 200)
        t.equal(await identifyOn(first, newer), 200)
        t.equal(await identifyOn(second, older), 401)
      }
    },
  )

  t.test(
    '200 or 503 for sixty parallel logins of one user, of which exactly one session lives',
    async (t) => {
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) => login(urls[index % 2] ?? '')),
      )

      const tokens = answers.flatMap(({ status, body }) =>
        status === 200 ? [body.data.token as string] : [],
      )
      t.strictSame(
        answers
          .filter(({ status }) => status !== 200 && status !== 503)
          .map(({ status, body }) => [status, body]),
        [],
      )
      t.ok(tokens.length > 0)
      const statuses = await Promise.all(tokens.map((token) => identifyOn(urls[0] ?? '', token)))
      t.equal(statuses.filter((status) => status === 200).length, 1)
    },
  )

  t.test('401 from one instance right after a logout on the other', async (t) => {
    const [first, second] = urls as [string, string]
    for (let round = 0; round < 20; round++) {
      const token = await logIn(first)
      await send(second, 'POST', '/logout', { token })

      t.equal(await identifyOn(first, token), 401)
    }
  })
})

function login(url: string) {
  return send(url, 'POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } })
}
