import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Base, Spawn, t as tap } from 'tap'
import { endWithThisProcess } from './servers.js'

/** The time limit of a file: more than twice what any file takes when it runs alone. */
const FILE_LIMIT_MS = 240_000

/** The TAP of every file; git ignores it. */
const RESULTS = '.tap/results'

export interface TestFile {
  name: string
  /** The path of the file that Node.js runs. */
  path: string
  /** Whether no other file may run at the same time. */
  isAlone: boolean
}

/** How a test file ended. */
export interface FileReport {
  file: string
  ok: boolean
  /** The exit code or the signal of its process. */
  exit: string
  assertions: number
  failures: Failure[]
  /** The names of skipped subtests, each with its reason. */
  skipped: string[]
  /** The duration of the file. */
  ms: number
  /** What the file wrote to standard error. */
  stderr: string
}

export interface Failure {
  name: string
  // biome-ignore lint/suspicious/noExplicitAny: each kind of failure has other members
  diag: any
}

/**
 * Runs each file in a process of its own, several at a time, and reports each as it ends. The
 * command line of tap does the same, but puts a loader into every process to follow which files it
 * reads. That loader takes as long as everything else that a test file loads.
 */
export async function runFiles(
  files: TestFile[],
  { atATime, env }: { atATime: number; env: NodeJS.ProcessEnv },
  hasEnded: (report: FileReport) => void,
): Promise<void> {
  // tap writes to standard output unless its stream is read.
  tap.register()
  tap.resume()
  tap.setTimeout(0)
  tap.jobs = atATime
  const running = new Map<Base, { began: number; stderr: string }>()
  tap.on('subtestStart', (file) => {
    const own = { began: performance.now(), stderr: '' }
    running.set(file, own)
    if (!(file instanceof Spawn)) return
    file.on('process', (child) => {
      const { stdout, stderr } = endWithThisProcess(child)
      stdout?.pipe(resultsOf(file.name))
      stderr?.setEncoding('utf8').on('data', (text) => (own.stderr += text))
    })
  })
  tap.on('subtestEnd', (file) => hasEnded(reportOf(file, running.get(file))))

  const command = ['-u', 'NODE_OPTIONS', process.execPath, '--enable-source-maps']
  await Promise.all(
    // Files that are not buffered wait until all others have ended.
    [...files].sort(byTurn).map(({ name, path, isAlone }) =>
      tap.spawn('env', [...command, path], {
        name,
        buffered: !isAlone,
        timeout: FILE_LIMIT_MS,
        stdio: 'pipe',
        env: { ...env, TAP_TIMEOUT: String(FILE_LIMIT_MS / 1000) },
      }),
    ),
  )
}

function byTurn(one: TestFile, other: TestFile): number {
  return Number(one.isAlone) - Number(other.isAlone)
}

function resultsOf(name: string) {
  const path = join(RESULTS, `${name}.tap`)
  mkdirSync(dirname(path), { recursive: true })
  return createWriteStream(path)
}

function reportOf(file: Base, { began, stderr } = { began: 0, stderr: '' }): FileReport {
  const { counts, lists, options } = file
  return {
    file: file.name,
    ok: file.passing() && counts.total > 0,
    exit: String(options.signal ?? options.exitCode),
    assertions: counts.total,
    failures: lists.fail.map((result) => ({ name: nameOf(result), diag: result.diag })),
    skipped: lists.skip.map((result) => `${nameOf(result)}: ${result.skip}`),
    ms: performance.now() - began,
    stderr,
  }
}

/** The full name without the file, with which it begins. */
function nameOf({ fullname }: { fullname: string }): string {
  return fullname.split(' > ').slice(1).join(' > ')
}
