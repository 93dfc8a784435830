/**
 * `npm run bench [-- --quick]`: measures the built service beside baselines in the same run, on
 * stores of its own, and compares the ratios with the required ones. Exits with 1 when a figure
 * misses its `must` (with --floors: its `floor`), or when any answer was wrong.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Figure, notMeasured, reaches } from './figures.js'
import {
  type Effort,
  measureChecks,
  measureEmbedded,
  measureFlood,
  measureLogins,
  measureMemory,
  measureProcesses,
  measureRedis,
  measureScale,
  measureStart,
  type Series,
} from './measures.js'
import { figureTable, loadTable, machine, picture } from './report.js'
import { progress, wholeNumber } from './terminal.js'
import { createWorld } from './world.js'

const USAGE = `Usage: npm run bench -- [options]

  --quick      about a minute: fewer and shorter rounds, and neither a million users nor the memory
  --rounds K   how often each program is measured, in turn (default 10; quick: 3)
  --seconds S  how long each time (default 2; quick: 1)
  --floors     end with 1 only below the floors, which guard against a slower service
  --out DIR    where results.json and requests.svg are written (default bench/results; quick: nowhere)
`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    floors: { type: 'boolean', default: false },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const { quick } = values
const effort: Effort = {
  rounds: wholeNumber(values.rounds, quick ? 3 : 10, USAGE),
  seconds: wholeNumber(values.seconds, quick ? 1 : 2, USAGE),
  warmUpSeconds: quick ? 1 : 2,
  progress,
}
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}

const began = performance.now()
const series: Series[] = []
const figures: Figure[] = []
/** The series in the picture. */
const checks: Series[] = []
const world = await createWorld()
try {
  take(await measureChecks(world, effort))
  checks.push(...series)
  take(await measureFlood(world, effort))
  take(await measureProcesses(world, effort))
  figures.push(await measureLogins(world, { ...effort, seconds: quick ? 1 : 4 }))
  figures.push(await measureStart(world, effort))
  figures.push(...(await measureEmbedded(effort)))
  figures.push(await measureRedis(world, effort))
  if (quick) {
    figures.push(notMeasured('memory', 'takes too long for the quick form'))
    figures.push(notMeasured('scale', 'takes too long for the quick form'))
  } else {
    figures.push(await measureMemory(world, effort))
    const small = await createWorld()
    try {
      take(await measureScale(small, world, effort))
    } finally {
      await small.stop()
    }
  }
} finally {
  await world.stop()
}
progress('')

const wrong = series.flatMap(({ loads }) => loads).reduce((sum, load) => sum + load.wrong, 0)
for (const line of [...loadTable(series), '', ...figureTable(figures)]) console.log(line)
console.log(`\n${machine()}; ${effort.rounds} rounds of ${effort.seconds} s, in turn; ${seconds()} s in all`)
const out = values.out ?? (quick ? undefined : 'bench/results')
if (out !== undefined) save(out)
if (wrong > 0) console.log(`${wrong} answers were wrong: this is no result`)
const missed = figures.filter(
  (figure) => figure.values.length > 0 && !reaches(figure, values.floors ? figure.floor : figure.must),
)
process.exit(wrong > 0 || missed.length > 0 ? 1 : 0)

function take(part: { series: Series[]; figures: Figure[] }): void {
  series.push(...part.series)
  figures.push(...part.figures)
}

function save(directory: string): void {
  mkdirSync(directory, { recursive: true })
  const results = { date: new Date().toISOString(), machine: machine(), ...effort, figures, series }
  writeFileSync(join(directory, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`)
  writeFileSync(join(directory, 'requests.svg'), picture(checks, machine()))
}

function seconds(): number {
  return Math.round((performance.now() - began) / 1000)
}
