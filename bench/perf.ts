import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Samples per second of a core, chosen not to align with periodic work. */
const FREQUENCY = 2497

/** The option with which Node tells perf the names of compiled functions. */
export const NAMES_FOR_PERF = '--perf-basic-prof'

/** The share of samples in one function of a program, from 0 to 1. */
export interface Share {
  part: string
  name: string
  share: number
}

/**
 * Samples a process by the kernel's clock, which includes the work of the kernel and of the
 * runtime. V8's profiler samples where a thread returns from the kernel: with few cores it
 * attributes nearly everything to writes.
 */
export async function sample(pid: number, seconds: number, file: string): Promise<Share[]> {
  const options = ['record', '-e', 'cpu-clock', '-F', String(FREQUENCY), '-p', String(pid), '-o', file]
  const recording = spawn('perf', [...options, '--', 'sleep', String(seconds)], { stdio: 'ignore' })
  await once(recording, 'exit')
  const report = ['report', '-i', file, '--stdio', '-t', '\t', '-F', 'overhead,dso,symbol', '-g', 'none']
  return sharesIn(execFileSync('perf', report, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
}

/**
 * Lines like `1.31%<tab>[JIT] tid 7<tab>[.] JS:*'check file:///app/dist/sessions/check.js:12:3`.
 */
function sharesIn(report: string): Share[] {
  return report.split('\n').flatMap((line) => {
    const [percent = '', object = '', symbol = ''] = line.split('\t').map((column) => column.trim())
    if (line.startsWith('#') || !percent.endsWith('%')) return []
    const name = nameOf(symbol)
    return [{ part: partOf(object, name), name, share: Number.parseFloat(percent) / 100 }]
  })
}

/**
 * Removes the letters for the optimisation tier, and the path in front of the package or the
 * service.
 */
function nameOf(symbol: string): string {
  return symbol
    .replace(/^\[[.k]\] /, '')
    .replace(/^JS:[*~^'+]*/, 'JS:')
    .replace(/ (?:file:\/\/)?\/\S*?\/(?=(?:node_modules|dist)\/)/, ' ')
}

/** The first pattern that matches perf's name of the object or of the function decides. */
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
