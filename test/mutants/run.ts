/**
 * `npm run test:mutants [-- --only NAME]`: plants known mistakes into copies of the built service,
 * one at a time, and checks that the rows of the fault table and the probes catch them. Tests that
 * never fail prove nothing: this proves that these can fail. Exits with 1 when a mistake survives,
 * or when the service without a mistake does not pass.
 */
import { parseArgs } from 'node:util'
import { installIfPossible, requirePrograms, STORES } from '../support/programs.js'
import { endOnSignals } from '../support/service-process.js'
import type { Mutant } from './mutant.js'
import { MUTANTS } from './mutants.js'
import { plant } from './plant.js'
import { attemptsOf, type Finding, findingOf } from './verdict.js'

const USAGE = `Usage: npm run test:mutants -- [options]

  --only NAME  only mutants whose name holds this; may be given several times
  --list       print the mutants, and what should notice each, and end
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const { only } = values
const chosen = MUTANTS.filter(({ name }) => !only || only.some((part) => name.includes(part)))

if (values.help || chosen.length === 0) {
  process.stdout.write(USAGE)
  process.exit(values.help ? 0 : 2)
}
if (values.list) {
  for (const { name, caughtBy, equivalent } of chosen) {
    process.stdout.write(`${name}: ${equivalent ? `equivalent: ${equivalent}` : caughtBy.join(', ')}\n`)
  }
  process.exit(0)
}

requirePrograms(STORES)
installIfPossible(['redis-cli', 'faketime', 'ip'])
endOnSignals()

const started = performance.now()
/** Attempts that blame the unchanged service. They cannot count against a mutant. */
const unfit = await unfitAttempts()
const results: Result[] = []
for (const [index, mutant] of chosen.entries()) {
  progress(`${index + 1}/${chosen.length}  ${mutant.name}`)
  const result = await resultOf(mutant)
  results.push(result)
  const { outcome, by, problem, missedBy } = result
  const missed = missedBy.length > 0 ? ` (not by ${missedBy.join(', nor by ')})` : ''
  process.stdout.write(`${mutant.name}: ${outcome}${by ? ` by ${by}` : ''}: ${problem}${missed}\n`)
}
print()

interface Result {
  mutant: string
  outcome: 'caught' | 'SURVIVED' | 'ERROR' | 'equivalent'
  by: string
  problem: string
  /** What was tried earlier and caught nothing. */
  missedBy: string[]
}

/** Runs everything that the chosen mutants rely on, against a copy without a mistake. */
async function unfitAttempts(): Promise<Map<string, Finding>> {
  const cli = plant([])
  const attempts = new Map(chosen.flatMap(attemptsOf).map((attempt) => [attempt.name, attempt]))
  const blamed = new Map<string, Finding>()
  let done = 0
  for (const attempt of attempts.values()) {
    progress(`${++done}/${attempts.size}  without a mistake: ${attempt.name}`)
    const finding = await findingOf(attempt, cli)
    if (finding.kind === 'passed') continue
    blamed.set(attempt.name, finding)
    process.stdout.write(`WITHOUT A MISTAKE, ${attempt.name}: ${finding.problem}\n`)
  }
  return blamed
}

async function resultOf(mutant: Mutant): Promise<Result> {
  const { name, edits, equivalent } = mutant
  try {
    // Plant an equivalent mutant too: its text must still be in the code.
    const cli = plant(edits)
    if (equivalent) return { mutant: name, outcome: 'equivalent', by: '', problem: equivalent, missedBy: [] }
    return await tryAll(mutant, cli)
  } catch (error) {
    return { mutant: name, outcome: 'ERROR', by: '', problem: (error as Error).message, missedBy: [] }
  }
}

async function tryAll({ slow, ...mutant }: Mutant, cli: string): Promise<Result> {
  const missedBy: string[] = []
  const result = { mutant: mutant.name, missedBy }
  let failed: Result | undefined
  for (const attempt of attemptsOf(mutant)) {
    if (unfit.has(attempt.name)) continue
    progress(`${mutant.name}: ${attempt.name}`)
    const { kind, problem } = await findingOf(attempt, cli, slow)
    const by = attempt.name
    if (kind === 'blamed') return { ...result, outcome: 'caught', by, problem }
    // A scenario that failed itself, or a service that did not start, has not caught anything.
    if (kind === 'failed') failed = { ...result, outcome: 'ERROR', by, problem }
    else missedBy.push(by)
  }
  return failed ?? { ...result, outcome: 'SURVIVED', by: '', problem: 'nothing noticed it' }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text) process.stderr.write(`${text}\n`)
}

function print(): void {
  progress('')
  const short = (text: string) => (text.length > 70 ? `${text.slice(0, 69)}…` : text)
  console.table(
    results.map(({ mutant, outcome, by, problem }) => ({ mutant, outcome, by, problem: short(problem) })),
  )
  const count = (wanted: Result['outcome']) => results.filter(({ outcome }) => outcome === wanted).length
  const seconds = Math.round((performance.now() - started) / 1000)
  const counts = (['caught', 'SURVIVED', 'ERROR', 'equivalent'] as const).map(
    (outcome) => `${count(outcome)} ${outcome}`,
  )
  console.log(`${counts.join(', ')}, ${unfit.size} scenarios fail without a mistake, ${seconds} s`)
  // Connections that are kept alive would keep the process alive.
  process.exit(count('SURVIVED') + count('ERROR') + unfit.size > 0 ? 1 : 0)
}
