import { type Base, Spawn, type TestBase } from 'tap'

/** How one test file ended, as tap's process tells it to test/run.ts. */
export interface FileReport {
  /** Relative to the project, as tap was given it. */
  file: string
  ok: boolean
  /** The status or the signal with which its process ended. */
  exit: string
  assertions: number
  failures: Failure[]
  /** The names of subtests that were not run, each with its reason. */
  skipped: string[]
  /** From its start to its end. */
  ms: number
  /** What the file wrote to standard error. */
  stderr: string
}

export interface Failure {
  name: string
  // biome-ignore lint/suspicious/noExplicitAny: tap says of each kind of failure what it knows
  diag: any
}

/**
 * A reporter for `tap --reporter`. tap calls a function as a component of React. This one shows nothing:
 * it is here for tap's events, which come as each file ends. The TAP of parallel files comes in the order of their names.
 */
export default function report({ test }: { test: TestBase }): null {
  const running = new Map<Base, { began: number; stderr: string }>()
  test.on('subtestStart', (file) => {
    const own = { began: performance.now(), stderr: '' }
    running.set(file, own)
    if (!(file instanceof Spawn)) return
    file.on('process', ({ stderr }) => stderr?.setEncoding('utf8').on('data', (text) => (own.stderr += text)))
  })
  test.on('subtestEnd', (file) => {
    const { began, stderr } = running.get(file) ?? { began: 0, stderr: '' }
    const { counts, lists, options } = file
    const ended: FileReport = {
      file: file.name,
      ok: file.passing() && counts.total > 0,
      exit: String(options.signal ?? options.exitCode),
      assertions: counts.total,
      failures: lists.fail.map((result) => ({ name: nameOf(result), diag: result.diag })),
      skipped: lists.skip.map((result) => `${nameOf(result)}: ${result.skip}`),
      ms: performance.now() - began,
      stderr,
    }
    process.send?.({ ended })
  })
  return null
}

/** Without the file, with which it begins. */
function nameOf({ fullname }: { fullname: string }): string {
  return fullname.split(' > ').slice(1).join(' > ')
}
