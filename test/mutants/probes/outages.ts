import { setTimeout as sleep } from 'node:timers/promises'
import type { RestartableStore } from '../../faults/stores.js'
import type { World } from '../../faults/world.js'
import { claimsOf, PASSWORD } from '../../helper.js'
import { forge, headerOf } from '../../support/tokens/forge.js'
import { type Probe, probe, type Question, type Reply, request, type Scene } from '../probe.js'
import { startTap, type Tap } from '../tap.js'

/** The longest answer and the longest login that callers are promised, in milliseconds. */
const LIMIT_MS = 500
const LOGIN_LIMIT_MS = 2000

const QUESTIONS: Question[] = ['identify', 'verify', 'logout']

type Pick = (world: World) => RestartableStore
const [redis, postgres]: [Pick, Pick] = [(world) => world.redis, (world) => world.postgres]

export const outageProbes: Probe[] = [
  outage(
    'Redis killed',
    (world) => world.redis.kill(),
    (world) => world.redis.start(),
  ),
  outage(
    'PostgreSQL killed',
    (world) => world.postgres.kill(),
    (world) => world.postgres.start(),
  ),
  outage(
    'Redis hangs',
    async (world) => redis(world).hang(),
    async (world) => redis(world).resume(),
  ),
  outage(
    'PostgreSQL hangs',
    async (world) => postgres(world).hang(),
    async (world) => postgres(world).resume(),
  ),
  lateCommits(),
  deadConnections(),
]

/** Everything that needs the store is answered 503 during the outage, and works again after it. */
function outage(name: string, begin: (w: World) => Promise<void>, end: (w: World) => Promise<void>): Probe {
  return probe(
    name,
    { instances: 1 },
    async ({ world, here, user, login, tryLogin, ask, claim, ...scene }) => {
      const someone = user(0)
      const token = await login(someone)
      // A logout answered 503 may still have ended its session.
      const leaving = await login(user(1))
      const bad = forge(headerOf(token), claimsOf(token), 'x'.repeat(43))

      await begin(world)
      try {
        for (const question of QUESTIONS) {
          const asked = question === 'logout' ? leaving : token
          isUnavailable(claim, question, await ask(question, asked), LIMIT_MS)
          const { status } = await ask(question, bad)
          claim(status === 401, `a bad signature: ${question} was answered ${status}`)
        }
        isUnavailable(claim, 'login', await tryLogin(someone), LOGIN_LIMIT_MS)
        const { status } = await request(here, 'GET', '/livez')
        claim(status === 200, `livez was answered ${status}`)
      } finally {
        await end(world)
      }
      await sleep(1000)
      await scene.accepted(token, 'after the outage', [here])
    },
  )
}

function isUnavailable(claim: Scene['claim'], what: string, reply: Reply, limitMs: number): void {
  const { status, headers, ms } = reply
  claim(status === 503, `${what} was answered ${status} during an outage`)
  claim(ms <= limitMs, `L3: ${what} took ${Math.round(ms)} ms`)
  if (status !== 503) return
  claim(headers.get('retry-after') === '1', `${what}: 503 without Retry-After: 1`)
  claim(headers.get('www-authenticate') === null, `${what}: 503 with a challenge`)
  claim(headers.get('cache-control') === 'no-store', `${what}: 503 that may be stored`)
}

/**
 * PostgreSQL stops at the statement that would commit, and resumes after the caller has its answer.
 */
function lateCommits(): Probe {
  const { through, tap } = tapped()
  return probe('a commit after the answer', { through }, async ({ world, there, ...scene }) => {
    const { here, user, login, tryLogin, ask, claim, row } = scene
    const [leaving, changing, arriving] = [user(0), user(1), user(2)]
    const [leaver, changer] = [await login(leaving), await login(changing)]
    const headers = { authorization: `Bearer ${changer}` }
    const body = { current: PASSWORD, new: 'seven dry umbrellas' }
    // A connection sends the text of a statement only the first time.
    const writes = [
      ['login', arriving, '"last_login" = clock_timestamp()', () => tryLogin(arriving, there)],
      ['logout', leaving, 'set "last_login_stamp"', () => ask('logout', leaver)],
      ['password', changing, 'set "password"', () => request(here, 'POST', '/password', headers, body)],
    ] as const
    for (const [name, who, text, write] of writes) {
      const before = await row(who)
      let stopped = false
      tap().watch((sent) => {
        if (stopped || !sent.includes(text)) return
        stopped = true
        world.postgres.hang()
      })
      const { status, ms } = await write()
      tap().watch(() => undefined)
      world.postgres.resume()
      if (!stopped) throw new Error(`${name} never sent its statement`)
      claim(status === 503, `${name} was answered ${status} although PostgreSQL hangs`)
      const limitMs = name === 'logout' ? LIMIT_MS : LOGIN_LIMIT_MS
      claim(ms <= limitMs, `L3: ${name} took ${Math.round(ms)} ms`)
      await sleep(600)
      const after = await row(who)
      const isSame = JSON.stringify(after) === JSON.stringify(before)
      claim(isSame, `L2: a ${name} that was answered ${status} was committed afterwards`)
    }
    tap().close()
  })
}

/** Every open connection to PostgreSQL goes dead silently, while new ones work. */
function deadConnections(): Probe {
  const { through, tap } = tapped()
  return probe('dead connections', { through, instances: 1 }, async ({ user, login, ask, claim }) => {
    const token = await login(user(0))
    await ask('identify', token)
    tap().freeze()
    const began = performance.now()
    let last = 0
    while (last !== 200 && performance.now() - began < 3000) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask('identify', token)))
      last = answers[0]?.status ?? 0
      await sleep(20)
    }
    claim(last === 200, 'new connections were never tried')
    tap().close()
  })
}

function tapped() {
  let tap: Tap | undefined
  const through = async (stores: { postgres: RestartableStore; redis: RestartableStore }) => {
    tap = await startTap(stores.postgres.port)
    const databaseUrl = stores.postgres.url.replace(String(stores.postgres.port), String(tap.port))
    return { databaseUrl, redisUrl: stores.redis.url }
  }
  return {
    through,
    tap: () => {
      if (!tap) throw new Error('nothing is tapped')
      return tap
    },
  }
}
