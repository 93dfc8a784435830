import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Inputs from other projects, kept outside of the repository with their licences. */
const DIRECTORY = resolve(ROOT, process.env.CORPORA_DIR ?? '../shared/corpora')

/** Options of a subtest that reads corpora: it is skipped where they are missing, except on CI. */
export function needsCorpora(): { skip: string | false } {
  const missing = !existsSync(DIRECTORY) && process.env.CI !== 'true'
  return { skip: missing && `the corpora are missing at ${DIRECTORY}: set CORPORA_DIR` }
}

export function corpusJson<T>(path: string): T {
  requireCorpora()
  return JSON.parse(readFileSync(join(DIRECTORY, path), 'utf8'))
}

/** Every file of a folder, as bytes, because many are not text. */
export function corpusFiles(folder: string): { name: string; bytes: Buffer }[] {
  requireCorpora()
  const names = readdirSync(join(DIRECTORY, folder))
  return names.map((name) => ({ name, bytes: readFileSync(join(DIRECTORY, folder, name)) }))
}

/** The Big List of Naughty Strings. */
export function naughtyStrings(): string[] {
  return corpusJson<string[]>('blns/blns.json')
}

function requireCorpora(): void {
  if (existsSync(DIRECTORY)) return
  throw new Error(`the corpora are missing at ${DIRECTORY}: set CORPORA_DIR to where they are`)
}
