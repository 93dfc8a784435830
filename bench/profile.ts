/**
 * `npm run profile [-- --out DIR]`: runs the service under load and says where its time and its memory go. Leaves the CPU
 * profile (a flame graph in the developer tools of Chrome, or in speedscope) and the heap snapshot.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { markdownTable } from '../test/support/markdown-table.js'
import { until } from '../test/support/servers.js'
import { IDENTIFY, load, type Tokens } from './load.js'
import { startService } from './programs.js'
import { createWorld, type World } from './world.js'

const USAGE = `Usage: npm run profile -- [options]

  --seconds S  how long the load lasts that is profiled (default 10)
  --out DIR    where the profile and the snapshot are left (default bench/results/profile)
`

/** Rows of each table. */
const SHOWN = 25

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    out: { type: 'string', default: 'bench/results/profile' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}

const directory = join(process.cwd(), values.out)
mkdirSync(directory, { recursive: true })
const world = await createWorld()
try {
  await world.growTo(2000)
  const userIds = Array.from({ length: 2000 }, (_, index) => index + 1)
  const tokens = { userIds, texts: userIds.map(world.token) }
  const seconds = Number(values.seconds)
  for (const line of timeTable(await profileOf(world, tokens, seconds))) console.log(line)
  console.log()
  for (const line of memoryTable(await snapshotOf(world, tokens, seconds))) console.log(line)
  console.log(`\n${directory}`)
} finally {
  await world.stop()
}

/** https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile; times in microseconds. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

async function profileOf(world: World, tokens: Tokens, seconds: number): Promise<CpuProfile> {
  const name = 'identify.cpuprofile'
  const service = await startService(world.env, [
    '--cpu-prof',
    `--cpu-prof-dir=${directory}`,
    `--cpu-prof-name=${name}`,
  ])
  await load(service.url, IDENTIFY, tokens, { seconds })
  await service.stop()
  return JSON.parse(readFileSync(join(directory, name), 'utf8'))
}

/** The functions in which most of the time was spent that was not idle. */
function timeTable({ nodes, samples, timeDeltas }: CpuProfile): string[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const spent = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? ''
    spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[index] ?? 0))
  }
  spent.delete('(idle)')
  const total = [...spent.values()].reduce((sum, time) => sum + time, 0)
  const rows = largest(spent).map(([name, time]) => [`${((100 * time) / total).toFixed(1)} %`, name])
  return markdownTable(['time', 'function'], rows)
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const place = url.replace(/^.*\/(node_modules|dist)\//, '')
  return place ? `${functionName || '(anonymous)'} ${place}:${lineNumber + 1}` : functionName
}

/** https://learn.microsoft.com/en-us/microsoft-edge/devtools/memory-problems/heap-snapshot-schema: numbers in one flat list. */
interface HeapSnapshot {
  snapshot: { meta: { node_fields: string[]; node_types: [string[]] } }
  nodes: number[]
  strings: string[]
}

async function snapshotOf(world: World, tokens: Tokens, seconds: number): Promise<HeapSnapshot> {
  const before = readdirSync(directory)
  const service = await startService(world.env, [
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
      // Written piece by piece: until it is whole, it does not parse.
      return JSON.parse(readFileSync(join(directory, name ?? ''), 'utf8')) as HeapSnapshot
    },
    { withinMs: 60_000 },
  )
  await service.stop()
  return snapshot
}

/** What takes most of the memory of JavaScript, by constructor or kind, without what it refers to. */
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
