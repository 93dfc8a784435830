import { createHash } from 'node:crypto'
import type postgres from 'postgres'
import { createSigner } from '../../support/tokens/signer.js'
import { ask } from '../clients.js'
import type { Operation } from '../history.js'
import type { Verdict } from '../round.js'
import type { Scenario, ScenarioOptions } from '../scenario.js'
import { createWorld } from '../world.js'

const SESSIONS = 100_000
const ASKED_AT_A_TIME = 32

/**
 * Row 4, at scale: Redis dies with 100,000 live sessions and 100,000 tombstones, and comes back
 * empty.
 */
export const manySessionsRows: Scenario[] = (['database', 'off'] as const).map((recovery) => ({
  number: 4,
  name: `Redis loses ${SESSIONS} sessions and as many logouts, recovery ${recovery === 'off' ? 'off' : 'on'}`,
  run: (options) => loseThem(recovery, options),
}))

async function loseThem(recovery: 'database' | 'off', { seed, cli }: ScenarioOptions): Promise<Verdict> {
  const world = await createWorld({ instances: 1, users: 0, recovery, ...(cli === undefined ? {} : { cli }) })
  try {
    const stamp = Date.now() - 60_000
    await addSessions(world.sql, stamp)
    for (let id = 1; id <= 2 * SESSIONS; id += 10_000) {
      const entries = Array.from({ length: 10_000 }, (_, index) => [
        `jwt_token:${id + index}`,
        entryOf(id + index, stamp),
      ])
      await world.redisClient.mset(...entries.flat())
    }
    const sign = createSigner(stamp)
    const tokenOf = (id: number) => sign(id, sessionOf(id))
    const [instance] = world.instances
    const url = instance?.url ?? ''
    const alive = await askAll(url, [1, SESSIONS], tokenOf)

    await world.redis.kill()
    await world.redis.start()
    const back = performance.now()
    while ((await fetch(`${url}/readyz`)).status !== 200);
    const recoveryMs = performance.now() - back

    const live = await askAll(url, range(1, SESSIONS), tokenOf)
    const revoked = await askAll(url, range(SESSIONS + 1, 2 * SESSIONS), tokenOf)
    const count = (operations: Operation[], outcome: string) =>
      operations.filter((each) => each.outcome === outcome).length
    const [lost, returned] = [SESSIONS - count(live, 'ok'), count(revoked, 'ok')]
    const refused = count(revoked, 'refused')
    const problems = [
      ...(count(alive, 'ok') === alive.length ? [] : ['the sessions were not alive before']),
      ...(recovery === 'database' && lost > 0 ? [`${lost} of ${SESSIONS} sessions were lost`] : []),
      ...(recovery === 'off' && count(live, 'refused') < SESSIONS
        ? ['a session was accepted that Redis does not know']
        : []),
      ...(returned > 0 ? [`${returned} of ${SESSIONS} logouts were forgotten`] : []),
      ...(refused < SESSIONS ? [`${SESSIONS - refused} logouts were not answered 401`] : []),
    ]
    const slowestMs = [...live, ...revoked].reduce(
      (slowest, { invoked, returned }) => Math.max(slowest, returned - invoked),
      0,
    )
    return {
      row: 4,
      name: `Redis loses ${SESSIONS} sessions and as many logouts, recovery ${recovery === 'off' ? 'off' : 'on'}`,
      seed,
      requests: live.length + revoked.length,
      touched: SESSIONS,
      wrong200: returned + (recovery === 'off' ? count(live, 'ok') : 0),
      wrong401: recovery === 'database' ? count(live, 'refused') : 0,
      slowestMs,
      slowestLoginMs: 0,
      recoveryMs,
      problems,
    }
  } finally {
    await world.dispose()
  }
}

/** Users 1 to SESSIONS are logged in. The others have logged out. */
async function addSessions(sql: postgres.Sql, stamp: number): Promise<void> {
  await sql`
    insert into user_login (mobile, password, last_login_stamp, session_id, session_expires_at)
    select '+8613' || (100000000 + id), 'none', ${stamp}::bigint + (id > ${SESSIONS})::int,
           case when id <= ${SESSIONS} then md5(id::text) end, now() + interval '1 day'
    from generate_series(1, ${2 * SESSIONS}) as id order by id`
}

function entryOf(id: number, stamp: number): string {
  return id <= SESSIONS ? `${stamp}.${sessionOf(id)}` : `${stamp + 1}.`
}

const sessions = new Map<number, string>()

function sessionOf(id: number): string {
  const known = sessions.get(id)
  if (known) return known
  const session = createHash('md5').update(String(id)).digest('hex')
  sessions.set(id, session)
  return session
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

async function askAll(url: string, ids: number[], tokenOf: (id: number) => string): Promise<Operation[]> {
  const queue = [...ids].reverse()
  const answers: Operation[] = []
  const worker = async () => {
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      answers.push(await ask('identify', url, 0, id, tokenOf(id)))
    }
  }
  await Promise.all(Array.from({ length: ASKED_AT_A_TIME }, worker))
  return answers
}
