import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Samples per second of a core: not a divisor of what else happens regularly. */
const FREQUENCY = 2497

/** What makes Node tell perf the names of compiled functions. */
export const NAMES_FOR_PERF = '--perf-basic-prof'

/** Part of the samples that were taken in a function of a program, from 0 to 1. */
export interface Share {
  part: string
  name: string
  share: number
}

/**
 * Samples a process by the clock of the kernel, which sees the kernel's own work and the runtime's as well. V8's profiler
 * takes its samples where a thread comes out of the kernel: with few cores it finds nearly everything in the writes.
 */
export async function sample(pid: number, seconds: number, file: string): Promise<Share[]> {
  const options = ['record', '-e', 'cpu-clock', '-F', String(FREQUENCY), '-p', String(pid), '-o', file]
  const recording = spawn('perf', [...options, '--', 'sleep', String(seconds)], { stdio: 'ignore' })
  await once(recording, 'exit')
  const report = ['report', '-i', file, '--stdio', '-t', '\t', '-F', 'overhead,dso,symbol', '-g', 'none']
  return sharesIn(execFileSync('perf', report, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
}

/** Lines like `  1.31%<tab>[JIT] tid 7<tab>[.] JS:*'inspect file:///app/dist/services/sessions.js:123:21`. */
function sharesIn(report: string): Share[] {
  return report.split('\n').flatMap((line) => {
    const [percent = '', object = '', symbol = ''] = line.split('\t').map((column) => column.trim())
    if (line.startsWith('#') || !percent.endsWith('%')) return []
    const name = nameOf(symbol)
    return [{ part: partOf(object, name), name, share: Number.parseFloat(percent) / 100 }]
  })
}

/** Without the letters for how far a function is optimised, and from the package or the service on. */
function nameOf(symbol: string): string {
  return symbol
    .replace(/^\[[.k]\] /, '')
    .replace(/^JS:[*~^'+]*/, 'JS:')
    .replace(/ (?:file:\/\/)?\/\S*?\/(?=(?:node_modules|dist)\/)/, ' ')
}

/** The first of these whose pattern is in what perf calls the object and the function. */
const PARTS: [string, RegExp][] = [
  ['kernel: sockets, scheduling', /^\[kernel/],
  ['garbage collection', /Scaveng|MarkCompact|Marking|Sweep|Evacuat|v8::internal::Heap/],
  ['JavaScript of this service', /JS:.* dist\//],
  ['JavaScript of Fastify and its router', /JS:.* node_modules\/(@?fastify|find-my-way|fast-json)/],
  ['JavaScript of the stores’ clients', /JS:.* node_modules\/(postgres|drizzle|ioredis|redis|dataloader)/],
  ['JavaScript of Node: HTTP, streams', /JS:.* node:/],
  ['JavaScript of other libraries', /JS:|^\[JIT\]/],
  ['V8: built-in functions', /Builtins_/],
  ['V8: the rest', /v8::/],
  ['Node and libuv: sockets, HTTP parser', /node::|uv_|llhttp|^node$/],
]

function partOf(object: string, name: string): string {
  return PARTS.find(([, pattern]) => pattern.test(object) || pattern.test(name))?.[0] ?? 'C library'
}
