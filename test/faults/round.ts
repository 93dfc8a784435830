import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, closeConnections, type Load, type LoadOptions, startLoad } from './clients.js'
import { byUser, type Operation, stampDefects, wrongAcceptances, wrongRefusals } from './history.js'
import { linearizable } from './linearizability.js'
import { createRandom, type Random } from './random.js'
import { createWorld, type Usage, type World, type WorldOptions } from './world.js'

/** The longest answer, login and recovery that callers are promised, in milliseconds. */
export const ANSWER_LIMIT_MS = 500
export const LOGIN_LIMIT_MS = 2000
export const RECOVERY_LIMIT_MS = 1000

/**
 * What a round may leave behind: a full pool, and a heap that has grown to its usual size, in
 * bytes.
 */
const MORE_DESCRIPTORS = 40
const MORE_MEMORY = 96 * 1024 * 1024

/**
 * How long the load lasts before the fault, first logins included, and after it, in milliseconds.
 */
const BEFORE_MS = 2500
const AFTER_MS = 2000

/** One fault of the table in docs/guarantees.md. */
export interface Row {
  number: number
  name: string
  world?: WorldOptions
  load?: Partial<LoadOptions>
  /** Why this machine cannot inject it, or undefined. */
  impossible?(): string | undefined
  /**
   * Whether a 401 is evidence: not where Redis loses sessions and recovery is off. Default true.
   */
  refusalsCount?: boolean
  /**
   * Whether PostgreSQL keeps its commits. Otherwise only S1 to S5 are promised, not
   * linearizability. Default true.
   */
  durable?: boolean
  /** Whether the fault itself keeps an instance from answering in time. Default false. */
  late?: boolean
  /** How long the fault lasts, in milliseconds. */
  lastsMs?: number
  inject(round: Round): Promise<void>
  /** Resolves when the fault is over: from then on the service has a second to recover. */
  heal?(round: Round): Promise<void>
  /** How many requests the fault touched. Default: those that were answered 503, or not at all. */
  touched?(round: Round): number | Promise<number>
  /** Checks what else must hold, and returns the problems. */
  also?(round: Round): Promise<string[]> | string[]
}

export interface Round {
  world: World
  load: Load
  random: Random
  /** When the fault began, and when it was over. */
  from: number
  to: number
}

export interface Verdict {
  row: number
  name: string
  seed: number
  requests: number
  touched: number
  wrong200: number
  wrong401: number
  slowestMs: number
  slowestLoginMs: number
  recoveryMs: number
  /** All problems. Empty when the round passed. */
  problems: string[]
}

/** Runs one row once: the fault comes and goes under load, then the history is judged. */
export async function runRow(row: Row, seed: number, worldOptions: WorldOptions = {}): Promise<Verdict> {
  const random = createRandom(seed * 1000 + row.number)
  const world = await createWorld({ ...row.world, ...worldOptions })
  try {
    const urls = () => world.instances.map(({ url }) => url)
    const standstill = monitorEventLoopDelay()
    standstill.enable()
    const load = startLoad({ urls, users: world.users, random, ...row.load })
    await sleep(BEFORE_MS)
    const before = world.instances.map((instance) => instance.usage())

    const round: Round = { world, load, random, from: performance.now(), to: 0 }
    await row.inject(round)
    await sleep((row.lastsMs ?? 1500) + random.integer(0, 300))
    await row.heal?.(round)
    round.to = performance.now()

    await sleep(AFTER_MS)
    await load.stop()
    standstill.disable()
    await askAboutEverything(round)
    closeConnections()
    return await judge(row, seed, round, before, standstill.max / 1e6)
  } finally {
    await world.dispose()
  }
}

/** After the load: asks about every token that was issued, on one instance or on all. */
async function askAboutEverything({ world, load, random }: Round): Promise<void> {
  const logins = load.history.filter(({ kind, outcome }) => kind === 'login' && outcome === 'ok')
  for (const { user, session, token } of logins) {
    if (!session || !token) continue
    const [here, ...others] = world.instances.map(({ url }, index) => ({ url, index }))
    const asked = random.chance(0.3) ? [here, ...others] : [here]
    for (const instance of asked) {
      if (instance) load.history.push(await ask('identify', instance.url, instance.index, user, token))
    }
  }
}

async function judge(
  row: Row,
  seed: number,
  round: Round,
  before: (Usage | undefined)[],
  standstillMs: number,
): Promise<Verdict> {
  const { world, load, from, to } = round
  const { history } = load
  const { refusalsCount = true, durable = true, late: mayBeLate = false } = row
  const problems: string[] = []

  const unexpected = history.filter(({ outcome }) => outcome === 'unexpected')
  for (const { kind, status, error } of unexpected.slice(0, 5))
    problems.push(`${kind} was answered ${status} ${error}`)

  const accepted = wrongAcceptances(history)
  const refused = refusalsCount && durable ? wrongRefusals(history) : []
  if (accepted.length > 0) problems.push(`S3/S4: ${accepted.length} dead sessions were accepted`)
  if (refused.length > 0)
    problems.push(`L1: ${refused.length} live sessions were refused (${refused[0]?.error})`)
  problems.push(...stampDefects(history).map((defect) => `S2: ${defect}`))
  problems.push(...liveTwice(history).map((user) => `S1: user ${user} has two live sessions`))
  if (durable) problems.push(...unordered(history, refusalsCount))
  problems.push(...(await registryAhead(world, durable)))

  const slowestMs = slowest(history.filter(({ kind }) => kind !== 'login'))
  const slowestLoginMs = slowest(history.filter(({ kind }) => kind === 'login'))
  // An answer is also late when the load clients do not read it. The message says so.
  const own = ` (the clients themselves stood still for up to ${Math.round(standstillMs)} ms)`
  if (slowestMs > ANSWER_LIMIT_MS && !mayBeLate)
    problems.push(`L3: an answer took ${Math.round(slowestMs)} ms${own}`)
  if (slowestLoginMs > LOGIN_LIMIT_MS && !mayBeLate)
    problems.push(`L3: a login took ${Math.round(slowestLoginMs)} ms${own}`)

  const late = history.filter(({ outcome, invoked }) => outcome === 'unavailable' && invoked > to)
  const recoveryMs = Math.max(0, ...late.map(({ returned }) => returned - to))
  if (recoveryMs > RECOVERY_LIMIT_MS) {
    const tooLate = late.filter(({ returned }) => returned - to > RECOVERY_LIMIT_MS)
    problems.push(`recovery took ${Math.round(recoveryMs)} ms (${kindsOf(tooLate)})`)
  }

  for (const [index, instance] of world.instances.entries()) {
    const was = before[index]
    const is = instance.usage()
    if (!is) problems.push(`an instance has ended: ${instance.stderr()}${instance.stdout()}`)
    if (!was || !is) continue
    if (is.descriptors > was.descriptors + MORE_DESCRIPTORS)
      problems.push(`${is.descriptors} descriptors are open`)
    if (is.rss > was.rss + MORE_MEMORY) problems.push(`memory grew by ${(is.rss - was.rss) >> 20} MB`)
  }

  const hit = ({ outcome, returned, invoked }: Operation) =>
    (outcome === 'unavailable' || outcome === 'lost') && returned > from && invoked < to
  const touched = (await row.touched?.(round)) ?? history.filter(hit).length
  if (touched === 0) problems.push('the fault touched no request: the round does not count')
  problems.push(...((await row.also?.(round)) ?? []))

  return {
    row: row.number,
    name: row.name,
    seed,
    requests: history.length,
    touched,
    wrong200: accepted.length,
    wrong401: refused.length,
    slowestMs,
    slowestLoginMs,
    recoveryMs,
    problems,
  }
}

/** S1, after the load: users for whom the last answers accept two different sessions. */
function liveTwice(history: readonly Operation[]): number[] {
  return [...byUser(history)].flatMap(([user, operations]) => {
    const lastWrite = Math.max(
      0,
      ...operations.filter(({ kind }) => kind === 'login').map(({ returned }) => returned),
    )
    const accepted = operations.filter(
      ({ kind, outcome, invoked }) => kind === 'identify' && outcome === 'ok' && invoked > lastWrite,
    )
    return new Set(accepted.map(({ session }) => session)).size > 1 ? [user] : []
  })
}

function unordered(history: readonly Operation[], refusalsCount: boolean): string[] {
  return [...byUser(history)].flatMap(([user, operations]) => {
    const answer = linearizable(operations, { refusalsCount })
    return answer === 'linearizable' ? [] : [`Lin: the history of user ${user} is ${answer}`]
  })
}

/** S8: R never holds a stamp that D did not commit. */
async function registryAhead({ sql, redisClient }: World, durable: boolean): Promise<string[]> {
  if (!durable) return []
  const rows = await sql`select user_id, last_login_stamp from user_login`
  const ahead = await Promise.all(
    rows.map(async ({ user_id, last_login_stamp }) => {
      const entry = await redisClient.get(`jwt_token:${user_id}`)
      const stamp = BigInt(entry?.split('.')[0] ?? 0)
      return stamp > BigInt(last_login_stamp ?? 0)
        ? [`S8: Redis is ahead of PostgreSQL for user ${user_id}`]
        : []
    }),
  )
  return ahead.flat()
}

/** The kinds of these operations, for a message. */
export function kindsOf(operations: readonly Operation[]): string {
  return [...new Set(operations.map(({ kind }) => kind))].join(', ')
}

function slowest(operations: readonly Operation[]): number {
  return Math.max(
    0,
    ...operations
      .filter(({ outcome }) => outcome !== 'lost')
      .map(({ invoked, returned }) => returned - invoked),
  )
}
