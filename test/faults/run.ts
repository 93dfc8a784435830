/**
 * `npm run test:faults [-- --row N … --seed S --rounds K]`: injects every fault of the table, one
 * after the other, into real instances on real stores, and prints the results. Exits with 1 if
 * there is any problem and, with `CI=true`, also if a row could not run.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { markdownTable } from '../support/markdown-table.js'
import { installIfPossible, requirePrograms, STORES } from '../support/programs.js'
import { endWithThisProcess } from '../support/servers.js'
import { endOnSignals } from '../support/service-process.js'
import type { Verdict } from './round.js'
import { SCENARIOS, SHORT_SELECTION } from './rows.js'
import type { Scenario } from './scenario.js'

/**
 * Time limit of a round, in milliseconds: a round that hangs must not block the others. None takes
 * half of it.
 */
const ROUND_LIMIT_MS = 240_000

const USAGE = `Usage: npm run test:faults -- [options]

  --row N      only this row of the table; may be given several times
  --seed S     the first seed (default 1)
  --rounds K   how many seeds, one after the other (default 1)
  --short      only the selection that belongs to npm test
  --slowed     beside programs that take about half of every core
  --list       print the rows and end
`

const { values } = parseArgs({
  options: {
    row: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    slowed: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const wanted = values.row?.map(Number)
const chosen = (values.short ? SHORT_SELECTION : SCENARIOS).filter(
  ({ number }) => !wanted || wanted.includes(number),
)

if (values.help || chosen.length === 0) {
  process.stdout.write(USAGE)
  process.exit(values.help ? 0 : 2)
}
if (values.list) {
  for (const { number, name } of chosen) process.stdout.write(`${String(number).padStart(3)}  ${name}\n`)
  process.exit(0)
}

/** Counts are sums over the seeds. Times are those of the slowest seed, in milliseconds. */
const HEADINGS = [
  ...['row', 'fault', 'requests', 'touched', 'wrong 200', 'wrong 401'],
  ...['slowest', 'slowest login', 'recovery', 'passed'],
]

requirePrograms(STORES)
// The rows that need these report when they are missing.
if (!values.short) installIfPossible(['redis-cli', 'faketime', 'ip'])
endOnSignals()
if (values.slowed) occupyCores()
const verdicts: Verdict[] = []
const notRun: string[] = []
const started = performance.now()
for (const [index, scenario] of chosen.entries()) {
  const reason = scenario.impossible?.()
  if (reason) {
    notRun.push(`row ${scenario.number}, ${scenario.name}: not run: ${reason}`)
    continue
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    const seed = Number(values.seed) + round
    progress(`${index + 1}/${chosen.length}  row ${scenario.number}, seed ${seed}: ${scenario.name}`)
    const verdict = await verdictOf(scenario, seed)
    verdicts.push(verdict)
    for (const problem of verdict.problems) progress(`row ${scenario.number}, seed ${seed}: ${problem}`)
  }
}
progress('')
print()
const isMissing = verdicts.length === 0 || (process.env.CI === 'true' && notRun.length > 0)
// Connections that are kept alive would keep the process alive.
process.exit(isMissing || verdicts.some(({ problems }) => problems.length > 0) ? 1 : 0)

/** Linux shares each core among sessions, so each of these programs takes about half of one. */
function occupyCores(): void {
  for (let core = 0; core < availableParallelism(); core++) {
    endWithThisProcess(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore', detached: true }))
  }
}

async function verdictOf(scenario: Scenario, seed: number): Promise<Verdict> {
  try {
    return await Promise.race([scenario.run({ seed }), giveUp()])
  } catch (error) {
    const { number: row, name } = scenario
    const nothing = {
      requests: 0,
      touched: 0,
      wrong200: 0,
      wrong401: 0,
      slowestMs: 0,
      slowestLoginMs: 0,
      recoveryMs: 0,
    }
    return { row, name, seed, ...nothing, problems: [`the round itself failed: ${(error as Error).stack}`] }
  }
}

async function giveUp(): Promise<never> {
  await sleep(ROUND_LIMIT_MS, undefined, { ref: false })
  throw new Error(`not over after ${ROUND_LIMIT_MS / 1000} s`)
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text) process.stderr.write(`${text}\n`)
}

function print(): void {
  const names = [...new Set(verdicts.map(({ name }) => name))]
  const rows = names.map((name) => {
    const of = verdicts.filter((verdict) => verdict.name === name)
    const sum = (pick: (verdict: Verdict) => number) => String(of.map(pick).reduce((a, b) => a + b))
    const most = (pick: (verdict: Verdict) => number) => String(Math.round(Math.max(...of.map(pick))))
    const passed = of.filter(({ problems }) => problems.length === 0).length
    return [
      String(of[0]?.row),
      name,
      sum(({ requests }) => requests),
      sum(({ touched }) => touched),
      sum(({ wrong200 }) => wrong200),
      sum(({ wrong401 }) => wrong401),
      most(({ slowestMs }) => slowestMs),
      most(({ slowestLoginMs }) => slowestLoginMs),
      most(({ recoveryMs }) => recoveryMs),
      `${passed} of ${of.length}`,
    ]
  })
  for (const line of markdownTable(HEADINGS, rows)) console.log(line)
  console.log()
  for (const { row, seed, problems } of verdicts) {
    for (const problem of problems) console.log(`row ${row}, seed ${seed}: ${problem}`)
  }
  for (const line of notRun) console.log(line)
  const passed = verdicts.filter(({ problems }) => problems.length === 0).length
  const requests = verdicts.reduce((total, verdict) => total + verdict.requests, 0)
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(
    `${passed} of ${verdicts.length} rounds passed, ${notRun.length} scenarios not run, ${requests} requests, ${seconds} s`,
  )
}
