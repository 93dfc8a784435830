/**
 * `npm run profile [-- --out DIR]`: runs the service under load and prints where its time and its
 * memory go. Writes a CPU profile (a flame graph in the developer tools of Chrome, or in
 * speedscope) and a heap snapshot.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { markdownTable } from '../test/support/markdown-table.js'
import { findProgram, until } from '../test/support/servers.js'
import { IDENTIFY, load, type Tokens } from './load.js'
import { NAMES_FOR_PERF, type Share, sample } from './perf.js'
import { type Program, startBaseline, startInFiles } from './programs.js'
import { wholeNumber } from './terminal.js'
import { createWorld, type World } from './world.js'

const USAGE = `Usage: npm run profile -- [options]

  --seconds S  how long each program is profiled under load (default 10)
  --out DIR    where the profile and the snapshot are left (default bench/results/profile)
`

/** Rows of each table. */
const SHOWN = 20

/** Load before the profile, until V8 has compiled the hot code. */
const WARM_UP_SECONDS = 3

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    out: { type: 'string', default: 'bench/results/profile' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}

const seconds = wholeNumber(values.seconds, 10, USAGE)
const directory = resolve(values.out)
mkdirSync(directory, { recursive: true })
const world = await createWorld()
try {
  await world.growTo(2000)
  const userIds = Array.from({ length: 2000 }, (_, index) => index + 1)
  const tokens = { userIds, texts: userIds.map(world.token) }
  if (findProgram('perf')) for (const line of await timeTables(world, tokens, seconds)) console.log(line)
  else console.log('No table of where the time goes: perf is not installed (Debian: linux-perf).')
  console.log()
  await leaveFlameGraph(world, tokens, seconds)
  for (const line of memoryTable(await snapshotOf(world, tokens, seconds))) console.log(line)
  console.log(`\n${directory}`)
} finally {
  await world.stop()
}

/**
 * Tables of where the time of one answer goes, beside an answer that checks nothing, in
 * microseconds of a core.
 */
async function timeTables(world: World, tokens: Tokens, seconds: number): Promise<string[]> {
  const service = await startInFiles(world.env, [NAMES_FOR_PERF])
  const checked = await costs(service, 'identify', tokens, seconds)
  const bare = await startBaseline('bare', {}, [NAMES_FOR_PERF])
  const unchecked = await costs(bare, 'bare', tokens, seconds)

  const parts = largest(sums(checked, ({ part }) => part)).map(([part, cost]) => {
    const without = sums(unchecked, ({ part }) => part).get(part) ?? 0
    return [part, ...[cost, without, cost - without].map((microseconds) => microseconds.toFixed(1))]
  })
  const functions = largest(sums(checked, ({ name }) => name)).map(([name, cost]) => [cost.toFixed(2), name])
  return [
    ...markdownTable(['µs of a core per answer', 'GET /identify', 'checks nothing', 'difference'], parts),
    '',
    ...markdownTable(['µs', 'function'], functions),
  ]
}

/** The cost of each function per answer, in microseconds of a core. Stops the program. */
async function costs(program: Program, name: string, tokens: Tokens, seconds: number): Promise<Share[]> {
  await load(program.url, IDENTIFY, tokens, { seconds: WARM_UP_SECONDS, checksUser: false })
  const loaded = load(program.url, IDENTIFY, tokens, { seconds: seconds + 1, checksUser: false })
  const shares = await sample(program.pid, seconds, join(directory, `${name}.perf`))
  const { requestsPerSecond } = await loaded
  await program.stop()
  // The load keeps the event loop busy all the time, so shares of the samples are shares of that
  // time.
  return shares.map(({ share, ...rest }) => ({ ...rest, share: (share * 1e6) / requestsPerSecond }))
}

function sums(shares: Share[], key: (share: Share) => string): Map<string, number> {
  const amounts = new Map<string, number>()
  for (const each of shares) amounts.set(key(each), (amounts.get(key(each)) ?? 0) + each.share)
  return amounts
}

/** Writes V8's own profile, which shows the call tree. */
async function leaveFlameGraph(world: World, tokens: Tokens, seconds: number): Promise<void> {
  const place = [`--cpu-prof-dir=${directory}`, '--cpu-prof-name=identify.cpuprofile']
  const service = await startInFiles(world.env, ['--cpu-prof', ...place])
  await load(service.url, IDENTIFY, tokens, { seconds })
  await service.stop()
}

/**
 * Numbers in one flat list. The format:
 * https://learn.microsoft.com/en-us/microsoft-edge/devtools/memory-problems/heap-snapshot-schema
 */
interface HeapSnapshot {
  snapshot: { meta: { node_fields: string[]; node_types: [string[]] } }
  nodes: number[]
  strings: string[]
}

async function snapshotOf(world: World, tokens: Tokens, seconds: number): Promise<HeapSnapshot> {
  const before = readdirSync(directory)
  const service = await startInFiles(world.env, [
    '--heapsnapshot-signal=SIGUSR2',
    `--diagnostic-dir=${directory}`,
  ])
  await load(service.url, IDENTIFY, tokens, { seconds })
  process.kill(service.pid, 'SIGUSR2')
  const snapshot = await until(
    () => {
      const name = readdirSync(directory).find(
        (file) => file.endsWith('.heapsnapshot') && !before.includes(file),
      )
      // Node writes the file piece by piece. An incomplete file does not parse.
      return JSON.parse(readFileSync(join(directory, name ?? ''), 'utf8')) as HeapSnapshot
    },
    { withinMs: 60_000 },
  )
  await service.stop()
  return snapshot
}

/** The largest parts of the JavaScript heap, by constructor or kind, in shallow size. */
function memoryTable({ snapshot: { meta }, nodes, strings }: HeapSnapshot): string[] {
  const width = meta.node_fields.length
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => meta.node_fields.indexOf(field))
  const sizes = new Map<string, number>()
  const counts = new Map<string, number>()
  for (let at = 0; at < nodes.length; at += width) {
    const kind = meta.node_types[0][nodes[at + (type ?? 0)] ?? 0] ?? ''
    const key = kind === 'object' ? `${strings[nodes[at + (name ?? 0)] ?? 0]}` : `(${kind})`
    sizes.set(key, (sizes.get(key) ?? 0) + (nodes[at + (size ?? 0)] ?? 0))
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const rows = largest(sizes).map(([key, bytes]) => [
    (bytes / 1e6).toFixed(2),
    String(counts.get(key)),
    key.slice(0, 60),
  ])
  return markdownTable(['MB', 'objects', 'constructor or kind'], rows)
}

function largest(amounts: Map<string, number>): [string, number][] {
  return [...amounts].sort(([, a], [, b]) => b - a).slice(0, SHOWN)
}
