import { stringify } from 'yaml'
import type { Failure, FileReport } from './tap-files.js'

/** How many of the slowest files the summary names. */
const SLOWEST = 5

/** The progress of a run, and the estimated time for the rest. */
interface Position {
  /** The reports of files that have ended, the latest one last. */
  reports: FileReport[]
  of: number
  msLeft: number
}

/** One line for the file that has just ended, and below it its failures. */
export function latestLines({ reports, of, msLeft }: Position): string {
  const report = reports.at(-1)
  if (!report) return ''
  const { file, ok, assertions, failures, skipped, ms, stderr, exit } = report
  const done = reports.length
  const number = `[${String(done).padStart(String(of).length)}/${of}]`
  const counts = `${counted(assertions, 'assertion')}  ${seconds(ms)}`
  const left = done < of ? `   ${timeLeft(msLeft)} left` : ''
  const lines = [`${number} ${ok ? 'ok    ' : 'FAILED'}  ${file}  ${counts}${left}`]
  for (const name of skipped) lines.push(indent(`skipped: ${name}`))
  if (!ok) {
    lines.push('', ...failures.flatMap((failure) => [indent(failureText(failure)), '']))
    if (failures.length === 0) lines.push(indent(`its process ended with ${exit}`), '')
    if (stderr.trim()) lines.push(indent(`standard error:\n${indent(stderr.trim())}`), '')
    lines.push(indent(`again: npm test -- ${file}`), '')
  }
  return lines.join('\n')
}

/** A failure with its place, the code there and the difference. */
function failureText({ name, diag }: Failure): string {
  // For a timeout tap lists handles and requests in hundreds of useless lines.
  const { at, source, diff, stack, compare, handles, requests, ...others } = diag ?? {}
  const lines = [`not ok  ${name}`]
  if (at?.fileName) lines.push(`at ${at.fileName}:${at.lineNumber}:${at.columnNumber}`)
  if (source) lines.push(source.trimEnd())
  if (diff) lines.push(diff.trimEnd())
  if (Object.keys(others).length > 0) lines.push(stringify(others).trimEnd())
  if (stack && !diff) lines.push(stack.trimEnd())
  return lines.join('\n').replaceAll('\n', '\n  ')
}

/** The last lines of a run. */
export function summary(reports: FileReport[], ms: number): string {
  const total = (pick: (report: FileReport) => number) => reports.map(pick).reduce((a, b) => a + b, 0)
  const failed = reports.filter(({ ok }) => !ok)
  const slowest = [...reports].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST)
  const assertions = counted(
    total(({ assertions }) => assertions),
    'assertion',
  )
  const failures = counted(
    total(({ failures }) => failures.length),
    'failure',
  )
  const lines = [
    `slowest: ${slowest.map(({ file, ms }) => `${file} ${seconds(ms)}`).join(', ')}`,
    `${counted(reports.length, 'file')}, ${assertions}, ${seconds(ms)}: ${failed.length === 0 ? 'all passed' : failures}`,
    ...failed.map(({ file }) => `FAILED  ${file}`),
  ]
  return lines.join('\n')
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function timeLeft(ms: number): string {
  return ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : `about ${Math.round(ms / 60_000)} min`
}
