/**
 * `npm run bench:tricks`: measures what each trick buys in today's code. Runs the service with and
 * without the trick, in turn, in one run and in several processes. A trick stays if it buys at
 * least 5 % of a promised figure.
 */
import { parseArgs } from 'node:util'
import { plant } from '../test/mutants/plant.js'
import { markdownTable } from '../test/support/markdown-table.js'
import { median } from './figures.js'
import { IDENTIFY, INTROSPECT, load, type Question, type Tokens } from './load.js'
import {
  BCRYPT_COST,
  bcryptRate,
  type Contender,
  HASHING_THREADS,
  inTurn,
  LOGGING_IN,
  ratios,
  startFlood,
  tokensOf,
  USERS,
} from './measures.js'
import { type Program, startInFiles, startService } from './programs.js'
import { machine } from './report.js'
import { progress, wholeNumber } from './terminal.js'
import { TRICKS, type Trick } from './trick-list.js'
import { createWorld, type World } from './world.js'

const USAGE = `Usage: npm run bench:tricks -- [options]

  --processes K  how many processes of each are measured (default 3)
  --rounds K     how often each is measured, in turn (default 5)
  --seconds S    how long each time (default 2)
  --only TEXT    tricks whose name holds this text
`

const MILLION = 1_000_000

/** Different tokens after which the memory is read, by at least twice as many requests. */
const MANY_TOKENS = 100_000

/** What each figure is called, and how it is measured, in this order: the last ones add users. */
const FIGURES = {
  identify: {
    name: 'identify/s',
    compare: (world: World, tricks: Trick[]) => compareRates(world, tricks, IDENTIFY, tokensOf(world)),
  },
  introspect: {
    name: 'introspect/s',
    compare: (world: World, tricks: Trick[]) => compareRates(world, tricks, INTROSPECT, tokensOf(world)),
  },
  flood: { name: 'p99 in a flood of logins', compare: compareFloods },
  start: { name: 'seconds to listening', compare: compareStarts },
  memory: { name: 'memory after 100,000 tokens', compare: compareMemory },
  million: {
    name: 'identify/s with a million users',
    compare: async (world: World, tricks: Trick[]) => {
      await world.growTo(LOGGING_IN + MILLION, (users) => progress(`${users} of ${MILLION} users`))
      return compareRates(world, tricks, IDENTIFY, tokensOf(world, USERS, MILLION / USERS))
    },
  },
}

const { values: options } = parseArgs({
  options: {
    processes: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const effort = {
  rounds: wholeNumber(options.rounds, 5, USAGE),
  seconds: wholeNumber(options.seconds, 2, USAGE),
  warmUpSeconds: 2,
  progress,
}
const processes = wholeNumber(options.processes, 3, USAGE)
const chosen = TRICKS.filter(({ name }) => name.includes(options.only))
const world = await createWorld()
try {
  await world.growTo(LOGGING_IN + USERS)
  const rows: string[][] = []
  for (const [figure, { name, compare }] of Object.entries(FIGURES)) {
    const tricks = chosen.filter((trick) => trick.figure === figure)
    if (tricks.length === 0) continue
    const found = new Map(tricks.map((trick): [Trick, number[]] => [trick, []]))
    for (let turn = 0; turn < processes; turn++) {
      for (const [trick, values] of await compare(world, tricks)) found.get(trick)?.push(...values)
    }
    for (const [trick, values] of found) rows.push([trick.name, name, ...summary(values)])
  }
  const heads = ['trick', 'figure', 'without it, of what it is with it', 'rounds']
  console.log(markdownTable(heads, rows).join('\n'))
  console.log(`\n${machine()}`)
} finally {
  await world.stop()
}

function summary(values: number[]): string[] {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(2))
  return [`${median(values).toFixed(3)} (${least}–${most})`, String(values.length)]
}

function startWithout(world: World, { edits }: Pick<Trick, 'edits'>): Promise<Program> {
  return startService({ ...world.env, BCRYPT_COST, LOGIN_MAX_FAILURES: '100' }, [], plant(edits))
}

/** The rate without each trick, relative to the rate with all tricks. */
async function compareRates(
  world: World,
  tricks: Trick[],
  question: Question,
  tokens: Tokens,
): Promise<Map<Trick, number[]>> {
  const programs: Program[] = []
  try {
    const contenders: Contender[] = []
    for (const trick of [{ name: 'all tricks', edits: [] }, ...tricks]) {
      const program = await startWithout(world, trick)
      programs.push(program)
      contenders.push({ name: trick.name, program, question, tokens })
    }
    const [all, ...without] = await inTurn(contenders, effort)
    return new Map(tricks.map((trick, index) => [trick, ratios(without[index], all)]))
  } finally {
    await Promise.all(programs.map((program) => program.stop()))
  }
}

/** The p99 of checks in a flood of logins without a trick, relative to the p99 with it. */
async function compareFloods(world: World, tricks: Trick[]): Promise<Map<Trick, number[]>> {
  const tokens = tokensOf(world)
  const perSecond = 10 * (await bcryptRate(1)) * HASHING_THREADS
  return eachBesideAll(world, tricks, async ({ name }, programs) => {
    const values: number[] = []
    for (let round = 0; round <= effort.rounds; round++) {
      effort.progress(`${name}: flood ${round} of ${effort.rounds}`)
      const p99s: number[] = []
      for (const program of programs) {
        const flood = startFlood(world, program, perSecond)
        const { p99 } = await load(program.url, IDENTIFY, tokens, { seconds: effort.seconds })
        await flood.stop()
        p99s.push(p99)
      }
      const [withIt = Number.NaN, without = Number.NaN] = p99s
      // In the first round V8 has not compiled the code yet.
      if (round > 0) values.push(without / withIt)
    }
    return values
  })
}

/** The memory of a process without a trick, relative to one with it. */
async function compareMemory(world: World, tricks: Trick[]): Promise<Map<Trick, number[]>> {
  await world.growTo(LOGGING_IN + MANY_TOKENS)
  const tokens = tokensOf(world, MANY_TOKENS)
  return eachBesideAll(world, tricks, async ({ name }, programs) => {
    const bytes: number[] = []
    for (const program of programs) {
      effort.progress(`${name}: ${MANY_TOKENS} different tokens`)
      for (let asked = 0; asked < 2 * MANY_TOKENS; ) {
        const { requestsPerSecond } = await load(program.url, IDENTIFY, tokens, { seconds: 5 })
        asked += 5 * requestsPerSecond
      }
      bytes.push(program.memory())
    }
    const [withIt = Number.NaN, without = Number.NaN] = bytes
    return [without / withIt]
  })
}

/** The time to listening of the files, relative to that of the one file made of them. */
async function compareStarts(world: World, tricks: Trick[]): Promise<Map<Trick, number[]>> {
  const values: number[] = []
  for (let round = 1; round <= effort.rounds; round++) {
    effort.progress(`start: round ${round} of ${effort.rounds}`)
    const times: number[] = []
    for (const start of [startService, startInFiles]) {
      const program = await start(world.env, [])
      times.push(program.startMs)
      await program.stop()
    }
    const [withIt = Number.NaN, without = Number.NaN] = times
    values.push(without / withIt)
  }
  return new Map(tricks.map((trick) => [trick, values]))
}

/** Compares a process with all tricks and one without a trick, for each trick. */
async function eachBesideAll(
  world: World,
  tricks: Trick[],
  compare: (trick: Trick, programs: Program[]) => Promise<number[]>,
): Promise<Map<Trick, number[]>> {
  const found = new Map<Trick, number[]>()
  for (const trick of tricks) {
    const programs = await Promise.all([startWithout(world, { edits: [] }), startWithout(world, trick)])
    try {
      found.set(trick, await compare(trick, programs))
    } finally {
      await Promise.all(programs.map((program) => program.stop()))
    }
  }
  return found
}
