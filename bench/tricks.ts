/**
 * `npm run bench:tricks`: measures what each trick buys in today's code. Runs the service with and
 * without the trick, in turn, in one run and in several processes. A trick stays if it buys at
 * least 5 % of a promised figure.
 */
import { parseArgs } from 'node:util'
import { type Edit, plant } from '../test/mutants/plant.js'
import { markdownTable } from '../test/support/markdown-table.js'
import { median } from './figures.js'
import { IDENTIFY, INTROSPECT, load, type Question } from './load.js'
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
import { type Program, startService } from './programs.js'
import { machine } from './report.js'
import { progress, wholeNumber } from './terminal.js'
import { createWorld, type World } from './world.js'

const USAGE = `Usage: npm run bench:tricks -- [options]

  --processes K  how many processes of each are measured (default 3)
  --rounds K     how often each is measured, in turn (default 5)
  --seconds S    how long each time (default 2)
  --only TEXT    tricks whose name holds this text
`

interface Trick {
  name: string
  /** The figure that it should improve. */
  figure: 'identify' | 'introspect' | 'flood'
  /** Edits that remove it from the built code. */
  edits?: Edit[]
  /** Arguments that remove it from the command line. */
  nodeArgs?: string[]
}

const V8 = 'v8.js'

const TRICKS: Trick[] = [
  {
    name: 'rows are looked for at their ctid',
    figure: 'identify',
    edits: [
      {
        file: 'stores/postgres/entries.js',
        find: 'ctids.length === userIds.length ?',
        replace: 'ctids.length < 0 ?',
      },
    ],
  },
  {
    name: 'tokens are remembered by 30 bits',
    figure: 'identify',
    edits: [{ file: 'tokens/tokens.js', find: 'placeOf(token);', replace: 'token;' }],
  },
  {
    name: 'header names are compared by a loop',
    figure: 'identify',
    edits: [
      {
        file: 'http/repeated-header.js',
        find: 'let found = 0;',
        replace:
          'return rawHeaders.filter((sent, index) => index % 2 === 0 && sent.toLowerCase() === name).length > 1;\n    let found = 0;',
      },
    ],
  },
  {
    name: 'all settings of V8',
    figure: 'identify',
    edits: [{ file: 'process/serve.js', find: 'tuneV8();', replace: '' }],
    nodeArgs: ['--memory-reducer'],
  },
  ...['--no-flush-bytecode', '--no-allocation-site-pretenuring', '--no-parallel-scavenge'].map((flag) => ({
    name: flag,
    figure: 'identify' as const,
    edits: [{ file: V8, find: `setFlagsFromString('${flag}');`, replace: '' }],
  })),
  {
    name: '--heap-growing-percent',
    figure: 'identify',
    edits: [
      {
        file: V8,
        find: `setFlagsFromString(\`--heap-growing-percent=\${HEAP_GROWTH_PERCENT}\`);`,
        replace: '',
      },
    ],
  },
  {
    name: '--max-inlined-bytecode-size',
    figure: 'identify',
    edits: [
      {
        file: V8,
        find: `setFlagsFromString(\`--max-inlined-bytecode-size=\${INLINED_BYTES.each}\`);`,
        replace: '',
      },
      {
        file: V8,
        find: `setFlagsFromString(\`--max-inlined-bytecode-size-cumulative=\${INLINED_BYTES.together}\`);`,
        replace: '',
      },
    ],
  },
  {
    name: 'the pinned TickObject',
    figure: 'identify',
    edits: [{ file: V8, find: '    keepTick();', replace: '' }],
  },
  { name: '--no-memory-reducer', figure: 'identify', nodeArgs: ['--memory-reducer'] },
  {
    name: 'service clients are recalled',
    figure: 'introspect',
    edits: [
      {
        file: 'http/hooks/require-client.js',
        find: 'serviceClients.recall(authorizationOf(request))',
        replace: 'undefined',
      },
    ],
  },
  {
    name: 'late questions are asked again',
    figure: 'flood',
    edits: [
      {
        file: 'stores/postgres/postgres.js',
        find: 'soonest(() => checks.ask(() => question(checks.client)), askAnother)',
        replace: 'checks.ask(() => question(checks.client))',
      },
    ],
  },
  {
    name: 'hashing gives way',
    figure: 'flood',
    edits: [
      {
        file: 'passwords/password-worker.js',
        find: 'Date.now = clockThatGivesWay(workerData);',
        replace: '',
      },
    ],
  },
]

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
  const found = new Map<Trick, number[]>(chosen.map((trick) => [trick, []]))
  for (let turn = 0; turn < processes; turn++) {
    for (const [figure, question] of Object.entries({ identify: IDENTIFY, introspect: INTROSPECT })) {
      const tricks = chosen.filter((trick) => trick.figure === figure)
      for (const [trick, values] of await compareRates(world, question, tricks))
        found.get(trick)?.push(...values)
    }
    for (const trick of chosen.filter(({ figure }) => figure === 'flood')) {
      found.get(trick)?.push(...(await compareFlood(world, trick)))
    }
  }
  const rows = [...found].map(([{ name, figure }, values]) => [
    name,
    figure === 'flood' ? 'p99 in a flood of logins' : `${figure}/s`,
    `${median(values).toFixed(3)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`,
    String(values.length),
  ])
  console.log(
    markdownTable(['trick', 'figure', 'without it, of what it is with it', 'rounds'], rows).join('\n'),
  )
  console.log(`\n${machine()}`)
} finally {
  await world.stop()
}

function startWithout(world: World, { edits = [], nodeArgs = [] }: Partial<Trick>): Promise<Program> {
  return startService({ ...world.env, BCRYPT_COST, LOGIN_MAX_FAILURES: '100' }, nodeArgs, plant(edits))
}

/** The rate without each trick, relative to the rate with all tricks. */
async function compareRates(
  world: World,
  question: Question,
  tricks: Trick[],
): Promise<Map<Trick, number[]>> {
  if (tricks.length === 0) return new Map()
  const tokens = tokensOf(world)
  const programs: Program[] = []
  try {
    const contenders: Contender[] = []
    for (const trick of [{ name: 'all tricks' }, ...tricks]) {
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
async function compareFlood(world: World, trick: Trick): Promise<number[]> {
  const tokens = tokensOf(world)
  const perSecond = 10 * (await bcryptRate(1)) * HASHING_THREADS
  const programs = await Promise.all([startWithout(world, {}), startWithout(world, trick)])
  try {
    const values: number[] = []
    for (let round = 0; round <= effort.rounds; round++) {
      effort.progress(`${trick.name}: flood ${round} of ${effort.rounds}`)
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
  } finally {
    await Promise.all(programs.map((program) => program.stop()))
  }
}
