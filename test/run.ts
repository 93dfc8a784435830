/**
 * `npm test` and `npm run test:<tier>`: installs what the chosen tiers of test/tiers.ts need, or
 * says what is missing. Starts one PostgreSQL for all test files and runs them with tap. Prints how
 * each file went when it ends, and how long the others may take. The default tier ends with a
 * selection of the faults.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { migrate } from '../src/stores/postgres/migrations.js'
import { buildTests } from './support/built-tests.js'
import { requirePrograms } from './support/programs.js'
import { latestLines, summary } from './support/progress.js'
import { startPostgres } from './support/servers.js'
import { type FileReport, runFiles } from './support/tap-files.js'
import { isAlone, TIERS, type TierName, testFiles, tierOf } from './tiers.js'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

/** How long the files that passed took when they last ran on this machine, in milliseconds. */
const TIMES = resolve(ROOT, '.tap/times.json')

/** The key of the selection of faults in the times. */
const FAULTS = 'faults'

/** One more than there are cores: a file waits for half of its time. */
const AT_A_TIME = availableParallelism() + 1

const USAGE = `Usage: npm test [-- file | folder | tier …]

Runs what is named, or the default tier and a selection of the faults. The tiers are:

${Object.entries(TIERS)
  .map(([name, { about }]) => `  ${name.padEnd(10)} ${about}\n`)
  .join('')}  slow       all of them but the default one

For example: npm test -- test/http/login.test.ts
docs/testing.md says more.
`

const named = process.argv.slice(2)
if (named.includes('--help')) {
  process.stdout.write(USAGE)
  process.exit()
}
const withFaults = named.length === 0
const chosen = withFaults ? filesOf('default') : [...new Set(named.flatMap(filesNamed))]
requirePrograms(new Set(chosen.flatMap((file) => TIERS[tierOf(file)].needs)))

const built = await buildTests(chosen).catch(() => process.exit(1))
const started = performance.now()
const times = rememberedTimes()
const reports: FileReport[] = []
await runChosen()
console.log(`\n${summary(reports, performance.now() - started)}`)
const passed = reports.length === chosen.length && reports.every(({ ok }) => ok)
process.exitCode = passed && (!withFaults || (await injectFaults())) ? 0 : 1
rememberTimes()

function filesOf(tier: TierName): string[] {
  return testFiles().filter((file) => tierOf(file) === tier)
}

/** The test files that an argument names. */
function filesNamed(argument: string): string[] {
  if (argument in TIERS) return filesOf(argument as TierName)
  if (argument === 'slow') return testFiles().filter((file) => tierOf(file) !== 'default')
  const path = relative(ROOT, resolve(argument))
  const files = testFiles().filter((file) => file === path || file.startsWith(`${path}/`))
  if (files.length > 0) return files
  process.stderr.write(`${argument}: no such test file, folder or tier\n\n${USAGE}`)
  process.exit(2)
}

async function runChosen(): Promise<void> {
  const server = await startPostgres({ args: ['-c', 'max_connections=400'] })
  // Whoever ends the run wants to hear of no failures that come of it.
  let isEnding = false
  const end = (status: number) => () => {
    isEnding = true
    server.stop().finally(() => process.exit(status))
  }
  process.on('SIGINT', end(130)).on('SIGTERM', end(143))
  try {
    await createTemplate(server.url)
    const env = { ...process.env, TEST_POSTGRES_URL: server.url }
    const files = built.map(({ name, path }) => ({ name, path, isAlone: isAlone(name) }))
    await runFiles(files, { atATime: AT_A_TIME, env }, (report) => {
      if (isEnding) return
      reports.push(report)
      console.log(latestLines({ reports, of: chosen.length, msLeft: msLeft() }))
    })
  } finally {
    await server.stop()
  }
}

/**
 * The tests copy this migrated database, which takes a tenth of the time of migrating a new one.
 */
async function createTemplate(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 })
  await sql`create database template_auth`
  await sql.end()
  await migrate({ url: url.replace(/postgres$/, 'template_auth') })
}

async function injectFaults(): Promise<boolean> {
  console.log('\nA selection of the faults, one after the other (npm run test:faults has all of them)')
  const begun = performance.now()
  const [code] = await once(
    spawn('npx', ['--no-install', 'tsx', 'test/faults/run.ts', '--short'], { stdio: 'inherit' }),
    'exit',
  )
  times[FAULTS] = performance.now() - begun
  return code === 0
}

/**
 * The milliseconds that the remaining files took before. Right only if the machine is as busy as
 * then.
 */
function msLeft(): number {
  const ended = new Set(reports.map(({ file }) => file))
  const left = chosen.filter((file) => !ended.has(file))
  const mean = sum(reports.map(({ ms }) => ms)) / reports.length
  const msOf = (file: string) => times[file] ?? mean
  const alone = sum(left.filter(isAlone).map(msOf))
  const together = sum(left.filter((file) => !isAlone(file)).map(msOf)) / AT_A_TIME
  return alone + together + (withFaults ? (times[FAULTS] ?? 0) : 0)
}

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}

function rememberedTimes(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(TIMES, 'utf8'))
  } catch {
    return {}
  }
}

function rememberTimes(): void {
  for (const { file, ok, ms } of reports) if (ok) times[file] = Math.round(ms)
  mkdirSync(dirname(TIMES), { recursive: true })
  writeFileSync(TIMES, JSON.stringify(times))
}
