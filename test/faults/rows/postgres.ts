import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { ask, login } from '../clients.js'
import type { Operation } from '../history.js'
import type { Round } from '../round.js'
import { fault, type Scenario } from '../scenario.js'
import { snapshot } from '../stores.js'
import { refusedAtOnce } from './redis.js'

export const postgresRows: Scenario[] = [
  fault({
    number: 13,
    name: 'PostgreSQL killed',
    inject: ({ world }) => world.postgres.kill(),
    heal: ({ world }) => world.postgres.start(),
    also: refusedAtOnce,
  }),

  fault({
    number: 14,
    name: 'PostgreSQL hangs',
    lastsMs: 3000,
    inject: async ({ world }) => world.postgres.hang(),
    heal: async ({ world }) => world.postgres.resume(),
  }),

  hungConnections(),
  tooManyConnections(),

  fault({
    number: 17,
    name: 'PostgreSQL read-only',
    inject: ({ world }) => setReadOnly(world.sql, true),
    heal: ({ world }) => setReadOnly(world.sql, false),
  }),

  lockedRow(),

  fault({
    number: 19,
    name: 'PostgreSQL fails over and has lost the last commits',
    durable: false,
    lastsMs: 0,
    inject: async (round) => {
      const { world } = round
      await world.postgres.kill()
      const before = await snapshot(world.postgres)
      await world.postgres.start()
      // These commits are acknowledged, and then lost: a few of most users, and many of one.
      const end = performance.now() + 1500
      for (let logins = 0; logins < LOST_LOGINS || performance.now() < end; logins++) await logInFirst(round)
      await world.postgres.kill()
      await before.restore()
    },
    heal: ({ world }) => world.postgres.start(),
    also: async (round) => [...newLoginsWork(round), ...(await firstUserLogsIn(round))],
  }),
]

/**
 * Lost logins of one user. They are more than a login's attempts, so that counting up from the
 * restored stamp would not get past them.
 */
const LOST_LOGINS = 8

/**
 * Row 14, in part: half of the service's connections hang again and again while the others work, so
 * that a late statement shows.
 */
function hungConnections(): Scenario {
  let touched = 0
  return fault({
    number: 14,
    name: 'half of the connections to PostgreSQL hang',
    world: { users: 8 },
    lastsMs: 0,
    inject: async (round) => {
      const { world, random } = round
      touched = 0
      for (let time = 0; time < 5; time++) {
        const backends = await world.sql<{ pid: number }[]>`
          select pid from pg_stat_activity where application_name = 'auth-service'`
        const hung = backends.map(({ pid }) => pid).filter(() => random.chance(0.5))
        touched += hung.length
        for (const pid of hung) process.kill(pid, 'SIGSTOP')
        // Some of these wait behind a hung connection, are answered 503, and must not take effect
        // when it resumes.
        const logouts = everybodyLogsOut(round)
        await sleep(random.integer(900, 1200))
        for (const pid of hung) process.kill(pid, 'SIGCONT')
        await logouts
        await sleep(200)
      }
    },
    touched: () => touched,
  })
}

async function everybodyLogsOut({ world, load: { history }, random }: Round): Promise<void> {
  const logouts = world.users.map(async ({ id }) => {
    const latest = history.findLast(({ kind, user, token }) => kind === 'login' && user === id && token)
    const index = random.integer(0, world.instances.length - 1)
    const url = world.instances[index]?.url ?? ''
    if (latest?.token) history.push(await ask('logout', url, index, id, latest.token))
  })
  await Promise.all(logouts)
}

function tooManyConnections(): Scenario {
  const holders: postgres.Sql[] = []
  return fault({
    number: 16,
    name: 'PostgreSQL has no connection left',
    world: { postgresArgs: ['-c', 'max_connections=50', '-c', 'superuser_reserved_connections=3'] },
    inject: async ({ world }) => {
      await world.sql`create role holder login`
      const url = world.postgres.url.replace('postgres@', 'holder@')
      const hold = async () => {
        const sql = postgres(url, { max: 1, connect_timeout: 1, idle_timeout: 0, backoff: false })
        holders.push(sql)
        await sql`select 1`
      }
      // These connections take every place that the service's connections leave.
      for (let round = 0; round < 5; round++) {
        await world.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'auth-service'`
        await Promise.allSettled(Array.from({ length: 50 }, hold))
      }
    },
    heal: async () => {
      await Promise.all(holders.splice(0).map((sql) => sql.end({ timeout: 0 })))
    },
  })
}

function lockedRow(): Scenario {
  let release: () => void = () => undefined
  let lockedUser = 0
  return fault({
    number: 18,
    name: 'the row of a user is locked',
    lastsMs: 2500,
    inject: ({ world, random }) =>
      new Promise((locked) => {
        lockedUser = random.pick(world.users).id
        const held = new Promise<void>((resolve) => {
          release = resolve
        })
        world.sql
          .begin(async (sql) => {
            await sql`select 1 from user_login where user_id = ${lockedUser} for update`
            locked()
            await held
          })
          .catch(() => undefined)
      }),
    heal: async () => release(),
    load: { clients: 12 },
    world: { users: 3 },
    also: ({ load }) => {
      const others = load.history.filter(
        ({ user, outcome }) => outcome === 'unavailable' && user !== lockedUser,
      )
      return others.length > 0 ? [`${others.length} requests of other users were refused`] : []
    },
  })
}

async function setReadOnly(sql: postgres.Sql, on: boolean): Promise<void> {
  const session = await sql.reserve()
  await session`set default_transaction_read_only = off`
  await session.unsafe(`alter system set default_transaction_read_only = ${on ? 'on' : 'off'}`)
  await session`select pg_reload_conf()`
  session.release()
}

async function logInFirst({ world, load }: Round): Promise<Operation | undefined> {
  const [user] = world.users
  if (!user) return undefined
  const answer = await login(world.instances[0]?.url ?? '', 0, user)
  load.learn(answer)
  return answer.operation
}

/**
 * The user who lost the most logins must log in at the first attempt, and the new token must work.
 */
async function firstUserLogsIn(round: Round): Promise<string[]> {
  const operation = await logInFirst(round)
  if (!operation?.token) return [`the user who lost many logins was answered ${operation?.status}`]
  const { status } = await ask(
    'identify',
    round.world.instances[0]?.url ?? '',
    0,
    operation.user,
    operation.token,
  )
  return status === 200 ? [] : [`the user who lost many logins is unknown after a new one: ${status}`]
}

/**
 * Stamps come from the clock, so a login after the loss has a higher stamp than all that Redis
 * still holds.
 */
function newLoginsWork({ load, to }: Round): string[] {
  const { history } = load
  const dead = history.filter(
    (login) =>
      login.kind === 'login' &&
      login.outcome === 'ok' &&
      login.invoked > to &&
      history.some(
        ({ kind, outcome, session, user, invoked }) =>
          kind === 'identify' &&
          outcome === 'refused' &&
          session === login.session &&
          !history.some(
            (other) =>
              other !== login &&
              other.user === user &&
              (other.kind === 'login' || (other.kind === 'logout' && other.session === session)) &&
              other.returned > login.invoked &&
              other.invoked < invoked,
          ),
      ),
  )
  return dead.map(({ user }) => `a login of user ${user} after the loss was refused`)
}
