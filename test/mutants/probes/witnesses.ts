import { setTimeout as sleep } from 'node:timers/promises'
import { claimsOf, SECRET } from '../../helper.js'
import { forge, headerOf } from '../../support/tokens/forge.js'
import { entryOf, keyOf, type Probe, probe } from '../probe.js'

/** A session id that was never issued. */
const OTHER = 'o'.repeat(32)

export const witnessProbes: Probe[] = [
  probe('both stores decide', { recovery: 'off' }, async (scene) => {
    const { world, user, login, claim, ask, accepted, refused, entry, row } = scene
    const { sql, redisClient } = world
    const someone = user(0)
    const token = await login(someone)
    const claims = claimsOf(token)
    const { data, jti } = claims
    // Genuine, except that no login issued it.
    const never = forge(headerOf(token), { ...claims, jti: OTHER }, SECRET)
    await refused(never, 'another session id')
    await ask('logout', never)

    const stamp: number = data.login_time
    const set = (change: Record<string, string | number | null>) => async () =>
      void (await sql`update user_login set ${sql(change)} where user_id = ${someone.id}`)
    const changes: Record<string, () => Promise<unknown>> = {
      'the database holds another session': set({ session_id: OTHER }),
      'the database holds no session': set({ session_id: null }),
      'the database holds a newer stamp': set({ last_login_stamp: stamp + 1 }),
      'the database holds an older stamp': set({ last_login_stamp: stamp - 1 }),
      'the user is disabled': set({ status: 'disabled' }),
      'Redis holds another session': () => entry(someone, `${stamp}.${OTHER}`),
      'Redis holds a newer stamp': () => entry(someone, `${stamp + 1}.${jti}`),
      'Redis holds an older stamp': () => entry(someone, `${stamp - 1}.${jti}`),
      'Redis holds a tombstone': () => entry(someone, `${stamp}.`),
      'Redis holds nothing': () => redisClient.del(keyOf(someone.id)),
    }
    for (const [name, change] of Object.entries(changes)) {
      // Checked just before: that answer must not be remembered.
      await accepted(token, `before: ${name}`)
      await change()
      await refused(token, name)
      await refused(never, `${name}, another session id`)
      await set({ session_id: jti, last_login_stamp: stamp, status: 'active' })()
      await entry(someone, entryOf(token))
    }
    claim((await row(someone)).session_id === jti, 'a forged token ended a session')
  }),

  probe(
    'Redis forgets, recovery on',
    {},
    async ({ world, user, login, accepted, refused, claim, ...scene }) => {
      const { held, entry, ask } = scene
      const someone = user(0)
      const token = await login(someone)
      const stamp: number = claimsOf(token).data.login_time
      const losses: Record<string, () => Promise<unknown>> = {
        'the entry is gone': () => world.redisClient.del(keyOf(someone.id)),
        'the entry is an older one': () => entry(someone, `${stamp - 1}.${OTHER}`),
        'the entry is another system’s': () => entry(someone, 'eyJhbGciOiJIUzI1NiJ9.e30.x'),
      }
      for (const [name, lose] of Object.entries(losses)) {
        await lose()
        await accepted(token, name)
        await sleep(100)
        claim((await held(someone)) === entryOf(token), `${name}: it was not brought back`)
      }

      await ask('logout', token)
      await world.redisClient.del(keyOf(someone.id))
      await refused(token, 'S4: Redis has forgotten the logout')
    },
  ),

  probe(
    'a tombstone at the same stamp',
    {},
    async ({ user, login, tryLogin, entry, refused, held, ...scene }) => {
      const someone = user(0)
      const token = await login(someone)
      const tombstone = `${claimsOf(token).data.login_time}.`
      await entry(someone, tombstone)

      await refused(token, 'S4: the registry holds a tombstone of equal stamp')
      // The first write of a login repeats what the database holds.
      await tryLogin(someone, undefined, 'not the password')
      scene.claim((await held(someone)) === tombstone, 'a tombstone lost against a session of equal stamp')
      await refused(token, 'S4: after a failed login')
    },
  ),

  probe('stamps that Redis knows already', { recovery: 'off' }, async (scene) => {
    const { world, user, tryLogin, entry, accepted, claim } = scene
    const ahead = 9e12
    const registry: [string, string][] = [
      ['a session at the next stamp', `${ahead + 1}.${OTHER}`],
      ['a tombstone at the next stamp', `${ahead + 1}.`],
      ['a tombstone a little above', `${ahead + 3}.`],
      ['a shorter stamp, which is an older one', `99.${OTHER}`],
      ['a value of another system', 'eyJhbGciOiJIUzI1NiJ9.e30.x'],
    ]
    for (const [name, value] of registry) {
      const someone = user(0)
      await world.sql`
        update user_login set session_id = null, last_login_stamp = ${ahead} where user_id = ${someone.id}`
      await entry(someone, value)
      const { status, error, body } = await tryLogin(someone)
      claim(status === 200, `${name}: login was answered ${status} ${error}`)
      if (status === 200) await accepted(body.data.token, `L1: ${name}`)
    }
  }),

  probe(
    'the database is restored',
    {},
    async ({ world, user, login, tryLogin, accepted, refused, claim, ...scene }) => {
      const someone = user(0)
      const before = await login(someone)
      const { data, jti } = claimsOf(before)
      await scene.ask('logout', before)
      const restore = () => world.sql`
      update user_login set session_id = ${jti}, last_login_stamp = ${data.login_time}
      where user_id = ${someone.id}`

      await restore()
      await refused(before, 'S4: the database has lost the logout')
      const { status, error, body } = await tryLogin(someone)
      claim(status === 200, `the first login after the loss was answered ${status} ${error}`)
      await refused(before, 'S3: after a newer login')
      if (status !== 200) return
      await accepted(body.data.token, 'L1: the first login after the loss')

      await restore()
      await world.redisClient.set(keyOf(someone.id), `${data.login_time + 20}.`)
      const next = await tryLogin(someone)
      claim(next.status === 200, `L1: a login below Redis’s stamp was answered ${next.status} ${next.error}`)
    },
  ),

  probe('many questions at once', { instances: 1 }, async ({ world, user, login, ask, claim }) => {
    const dead = [await login(user(0)), await login(user(1))]
    const alive: [string, number][] = []
    for (const index of [3, 1, 0, 2]) alive.push([await login(user(index)), user(index).id])
    const { pid = 0 } = world.instances[0] ?? {}
    for (const questions of [alive, [...alive].reverse()]) {
      // Requests that arrive while the process is stopped are read in one turn of its event loop.
      process.kill(pid, 'SIGSTOP')
      const asked = Promise.all([
        ...questions.map(
          async ([token, id]) => (await ask('identify', token)).headers.get('x-user-id') === String(id),
        ),
        ...dead.map(async (token) => (await ask('identify', token)).status === 401),
      ])
      await sleep(100)
      process.kill(pid, 'SIGCONT')
      const answers = await asked
      claim(
        !answers.includes(false),
        `of many questions, number ${answers.indexOf(false)} got another's answer`,
      )
    }
  }),

  probe('how long an entry is kept', {}, async ({ world, user, login, ask, claim }) => {
    const someone = user(0)
    const left = () => world.redisClient.pttl(keyOf(someone.id))
    const token = await login(someone)
    const lives = claimsOf(token).exp * 1000 - Date.now()
    claim((await left()) > lives, 'an entry expires before its token expires')

    await ask('logout', token)
    claim((await left()) > lives, 'a tombstone goes before the token that it keeps out')

    const { url } = await world.startInstance({ env: { TOKEN_TTL_SECONDS: '60' } })
    await login(someone, url)
    claim((await left()) > lives - 30_000, 'a shorter session made the entry forget sooner')
  }),
]
