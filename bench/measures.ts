import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bannerOf } from '../test/support/embedded-home.js'
import { temporaryDirectory } from '../test/support/service-process.js'
import { type Figure, measured, notMeasured } from './figures.js'
import { IDENTIFY, INTROSPECT, type Load, load, type Question, type Tokens, VERIFY } from './load.js'
import { type Program, startBaseline, startService } from './programs.js'
import type { World } from './world.js'

export interface Effort {
  rounds: number
  seconds: number
  /** Load before the first round, until V8 has compiled a program's hot code. */
  warmUpSeconds: number
  progress(text: string): void
}

/** One program under one load, round after round. */
export interface Series {
  name: string
  loads: Load[]
}

/** Users whose tokens are checked. */
export const USERS = 2000

/**
 * The first users log in during the measurements. That ends their earlier sessions, so their tokens
 * are not checked.
 */
export const LOGGING_IN = 200

/** Hashing threads of the service. One core is left to its event loop. */
export const HASHING_THREADS = Math.max(1, availableParallelism() - 1)

/**
 * Lower than the service's default, so that a short round holds enough logins. The ratio is the
 * same at every cost.
 */
export const BCRYPT_COST = '10'

export interface Contender {
  name: string
  program: Program
  question: Question
  tokens: Tokens
  checksUser?: boolean
  /** The only cores that the load generator may use; any when undefined. */
  generatorCores?: string
}

/**
 * Measures the contenders in turn, A B C A B C, so that other work on the machine affects all of
 * them alike.
 */
export async function inTurn(
  contenders: Contender[],
  { rounds, seconds, warmUpSeconds, progress }: Effort,
): Promise<Series[]> {
  for (const { name, program, question, tokens } of contenders) {
    progress(`${name}: warming up`)
    await load(program.url, question, tokens, { seconds: warmUpSeconds, checksUser: false })
  }
  const series = contenders.map(({ name }): Series => ({ name, loads: [] }))
  for (let round = 1; round <= rounds; round++) {
    for (const [index, { name, program, question, tokens, ...options }] of contenders.entries()) {
      progress(`${name}: round ${round} of ${rounds}`)
      series[index]?.loads.push(await load(program.url, question, tokens, { seconds, ...options }))
    }
  }
  return series
}

/** The rate of one series relative to another, per round. */
export function ratios(of: Series | undefined, against: Series | undefined): number[] {
  return (of?.loads ?? []).map(
    ({ requestsPerSecond }, round) =>
      requestsPerSecond / (against?.loads[round]?.requestsPerSecond ?? Number.NaN),
  )
}

export function tokensOf(world: World, count = USERS, step = 1): Tokens {
  const userIds = Array.from({ length: count }, (_, index) => LOGGING_IN + 1 + index * step)
  return { userIds, texts: userIds.map(world.token) }
}

/**
 * Measures the checks, beside routes that answer the same and check nothing, and beside the
 * textbook check.
 */
export async function measureChecks(
  world: World,
  effort: Effort,
): Promise<{ series: Series[]; figures: Figure[] }> {
  await world.growTo(LOGGING_IN + USERS)
  const tokens = tokensOf(world)
  const [service, bare, textbook] = await Promise.all([
    startService({ ...world.env, BCRYPT_COST }),
    startBaseline('bare', {}),
    startBaseline('textbook', world.env),
  ])
  try {
    const series = await inTurn(
      [
        { name: 'GET, checks nothing', program: bare, question: IDENTIFY, tokens, checksUser: false },
        { name: 'GET /identify', program: service, question: IDENTIFY, tokens },
        { name: 'GET, textbook check', program: textbook, question: IDENTIFY, tokens },
        { name: 'POST, checks nothing', program: bare, question: VERIFY, tokens, checksUser: false },
        { name: 'POST /verify', program: service, question: VERIFY, tokens },
        { name: 'form, checks nothing', program: bare, question: INTROSPECT, tokens, checksUser: false },
        { name: 'POST /introspect', program: service, question: INTROSPECT, tokens },
      ],
      effort,
    )
    const [bareGet, identify, , barePost, verify, bareForm, introspect] = series
    const figures = [
      measured('identify', ratios(identify, bareGet)),
      measured('verify', ratios(verify, barePost)),
      measured('introspect', ratios(introspect, bareForm)),
    ]
    return { series, figures }
  } finally {
    await Promise.all([service, bare, textbook].map((program) => program.stop()))
  }
}

/** Cores for two processes of the service, the stores, and the load generator. */
const CORES_FOR_TWO = 4

/**
 * Measures two processes on one port beside a single one. The load generator has cores of its own.
 */
export async function measureProcesses(
  world: World,
  effort: Effort,
): Promise<{ series: Series[]; figures: Figure[] }> {
  const cores = availableParallelism()
  if (cores < CORES_FOR_TWO) {
    const why = `${cores} cores: two processes, the stores and the load generator want ${CORES_FOR_TWO}`
    return { series: [], figures: [notMeasured('processes', why)] }
  }
  const [one, two] = await Promise.all(
    ['1', '2'].map((WEB_CONCURRENCY) => startService({ ...world.env, BCRYPT_COST, WEB_CONCURRENCY })),
  )
  if (!one || !two) throw new Error('no service')
  try {
    const tokens = tokensOf(world)
    const generatorCores = `3-${cores - 1}`
    const series = await inTurn(
      [
        { name: 'GET /identify, one process', program: one, question: IDENTIFY, tokens, generatorCores },
        { name: 'GET /identify, two processes', program: two, question: IDENTIFY, tokens, generatorCores },
      ],
      effort,
    )
    return { series, figures: [measured('processes', ratios(series[1], series[0]))] }
  } finally {
    await Promise.all([one.stop(), two.stop()])
  }
}

/** Measures how long checks take during a flood: ten times as many logins as can be hashed. */
export async function measureFlood(
  world: World,
  effort: Effort,
): Promise<{ series: Series[]; figures: Figure[] }> {
  const tokens = tokensOf(world)
  const service = await startService({ ...world.env, BCRYPT_COST, LOGIN_MAX_FAILURES: '100' })
  try {
    const capacity = (await bcryptRate(1)) * HASHING_THREADS
    const quiet: Series = { name: 'GET /identify, quiet', loads: [] }
    const flooded: Series = { name: 'GET /identify, flood of logins', loads: [] }
    await load(service.url, IDENTIFY, tokens, { seconds: effort.warmUpSeconds, checksUser: false })
    for (let round = 1; round <= effort.rounds; round++) {
      effort.progress(`quiet: round ${round} of ${effort.rounds}`)
      quiet.loads.push(await load(service.url, IDENTIFY, tokens, { seconds: effort.seconds }))
      effort.progress(`flood of ${Math.round(10 * capacity)} logins/s: round ${round} of ${effort.rounds}`)
      const flood = startFlood(world, service, 10 * capacity)
      await sleep(500)
      flooded.loads.push(await load(service.url, IDENTIFY, tokens, { seconds: effort.seconds }))
      await flood.stop()
    }
    const values = flooded.loads.map(({ p99 }, round) => p99 / (quiet.loads[round]?.p99 ?? Number.NaN))
    return { series: [quiet, flooded], figures: [measured('flood', values)] }
  } finally {
    await service.stop()
  }
}

/** Sends `perSecond` logins of users whose tokens are not checked, until it is stopped. */
export function startFlood(world: World, { url }: Program, perSecond: number) {
  let running = true
  const answers: Promise<unknown>[] = []
  const began = performance.now()
  const done = (async () => {
    for (let turn = 0; running; turn++) {
      // Schedule each login by the time since the start, not since the last one: timers fire late,
      // and the flood would be too small.
      const dueInMs = began + (turn * 1000) / perSecond - performance.now()
      if (dueInMs > 0) await sleep(dueInMs)
      answers.push(logIn(url, world.credentials(1 + (turn % LOGGING_IN))))
    }
    await Promise.all(answers)
  })()
  return {
    stop: () => {
      running = false
      return done
    },
  }
}

/** Avoids fetch, which uses so much of a core that the flood's sender would be measured too. */
async function logIn(url: string, credentials: object): Promise<number> {
  const body = JSON.stringify(credentials)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const request = http.request(`${url}/login`, { method: 'POST', headers }).end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  response.resume()
  await once(response, 'end')
  return response.statusCode ?? 0
}

/** Measures logins per second, relative to bcryptjs alone on the same number of threads. */
export async function measureLogins(world: World, { rounds, seconds, progress }: Effort): Promise<Figure> {
  const service = await startService({ ...world.env, BCRYPT_COST })
  try {
    const values: number[] = []
    for (let round = 1; round <= rounds; round++) {
      progress(`bcryptjs alone: round ${round} of ${rounds}`)
      const alone = (await bcryptRate(seconds)) * HASHING_THREADS
      progress(`logins: round ${round} of ${rounds}`)
      values.push((await loginRate(world, service, seconds)) / alone)
    }
    return measured('logins', values)
  } finally {
    await service.stop()
  }
}

async function loginRate(world: World, { url }: Program, seconds: number): Promise<number> {
  const began = performance.now()
  let done = 0
  // One more than there are threads, so that one login always waits.
  const clients = Array.from({ length: HASHING_THREADS + 1 }, async (_, client) => {
    while (performance.now() - began < seconds * 1000) {
      const status = await logIn(url, world.credentials(1 + client))
      if (status !== 200) throw new Error(`a login was answered ${status}`)
      done++
    }
  })
  await Promise.all(clients)
  return done / ((performance.now() - began) / 1000)
}

/** Comparisons of bcryptjs per second on one thread, in a process of its own. */
export async function bcryptRate(seconds: number): Promise<number> {
  const script = fileURLToPath(new URL('./baselines/bcrypt.mjs', import.meta.url))
  const child = spawn(process.execPath, [script, BCRYPT_COST, String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [[output]] = await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])
  return Number(String(output))
}

/** Measures the memory of one process that has seen many different tokens. */
export async function measureMemory(world: World, { progress }: Effort): Promise<Figure> {
  const count = 100_000
  await world.growTo(LOGGING_IN + count)
  const tokens = tokensOf(world, count)
  const service = await startService({ ...world.env, BCRYPT_COST })
  try {
    progress(`asking about ${count} different tokens`)
    let asked = 0
    while (asked < 2 * count) {
      const seconds = 10
      const { requestsPerSecond, wrong } = await load(service.url, IDENTIFY, tokens, { seconds })
      if (wrong > 0) throw new Error(`${wrong} wrong answers`)
      asked += requestsPerSecond * seconds
    }
    return measured('memory', [service.memory() / 1e6])
  } finally {
    await service.stop()
  }
}

/**
 * Measures the bytes per session in Redis, including its share of the hash tables and the expiry.
 */
export async function measureRedis(world: World, { progress }: Effort): Promise<Figure> {
  const from = world.users()
  const before = await world.redisMemory()
  const added = 100_000
  await world.growTo(from + added, (users) => progress(`${users} sessions`))
  return measured('redis', [((await world.redisMemory()) - before) / added])
}

export async function measureStart(world: World, { rounds, progress }: Effort): Promise<Figure> {
  const values: number[] = []
  for (let round = 1; round <= rounds; round++) {
    progress(`start: round ${round} of ${rounds}`)
    const service = await startService(world.env)
    values.push(service.startMs / 1000)
    await service.stop()
  }
  return measured('start', values)
}

/**
 * Measures a newcomer's process: the time to its banner, at the first and at a later start, and its
 * memory after the first.
 */
export async function measureEmbedded({ rounds, progress }: Effort): Promise<Figure[]> {
  const first: number[] = []
  const later: number[] = []
  const memory: number[] = []
  for (let round = 1; round <= rounds; round++) {
    progress(`embedded start: round ${round} of ${rounds}`)
    const env = { DATA_DIR: temporaryDirectory() }
    for (const seconds of [first, later]) {
      const began = performance.now()
      const service = await startService(env)
      await bannerOf(service)
      seconds.push((performance.now() - began) / 1000)
      if (seconds === first) memory.push(service.memory() / 1e6)
      await service.stop()
    }
  }
  return [
    measured('embeddedFirst', first),
    measured('embeddedLater', later),
    measured('embeddedMemory', memory),
  ]
}

/** Measures the same check with a thousand times as many users in both stores. */
export async function measureScale(
  small: World,
  large: World,
  effort: Effort,
): Promise<{ series: Series[]; figures: Figure[] }> {
  const [few, many] = [1000, 1_000_000]
  await small.growTo(LOGGING_IN + few)
  await large.growTo(LOGGING_IN + many, (users) => effort.progress(`${users} of ${many} users`))
  // 100,000 tokens evict all others from a process's memory and leave much garbage, so they get a
  // process of their own.
  const [here, there, strewn] = await Promise.all([
    startService({ ...small.env, BCRYPT_COST }),
    startService({ ...large.env, BCRYPT_COST }),
    startService({ ...large.env, BCRYPT_COST }),
  ])
  try {
    const series = await inTurn(
      [
        {
          name: 'GET /identify, 1,000 users',
          program: here,
          question: IDENTIFY,
          tokens: tokensOf(small, few),
        },
        {
          name: 'GET /identify, 1,000,000 users',
          program: there,
          question: IDENTIFY,
          tokens: tokensOf(large, USERS, many / USERS),
        },
        {
          name: 'GET /identify, 1,000,000 users, 100,000 of them asking',
          program: strewn,
          question: IDENTIFY,
          tokens: tokensOf(large, 100_000, 10),
        },
      ],
      effort,
    )
    return { series, figures: [measured('scale', ratios(series[1], series[0]))] }
  } finally {
    await Promise.all([here, there, strewn].map((program) => program.stop()))
  }
}
