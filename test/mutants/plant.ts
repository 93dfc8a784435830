import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../support/service-process.js'

const PROJECT = fileURLToPath(new URL('../../', import.meta.url))

/** One edit of the built code. */
export interface Edit {
  /** Relative to dist. */
  file: string
  /** Text that must occur exactly once, so that the edit hits the intended place. */
  find: string
  replace: string
}

/** Copied once: a build during a run must not change the code that the mutants start from. */
let original: string | undefined

/**
 * Copies the built service, applies these edits, and returns the path of the copy's command line.
 */
export function plant(edits: readonly Edit[]): string {
  original ??= copy(PROJECT)
  const directory = copy(original)
  for (const edit of edits) {
    const path = join(directory, 'dist', edit.file)
    writeFileSync(path, edited(readFileSync(path, 'utf8'), edit))
  }
  return join(directory, 'dist', 'cli.js')
}

/** The code of a file after this edit. @throws Error unless the text occurs exactly once */
export function edited(code: string, { file, find, replace }: Edit): string {
  const parts = code.split(find)
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times, not once: ${find}`)
  return parts.join(replace)
}

function copy(from: string): string {
  const directory = temporaryDirectory('auth-mutant-')
  for (const part of ['dist', 'drizzle', 'package.json']) {
    cpSync(join(from, part), join(directory, part), { recursive: true })
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(directory, 'node_modules'))
  return directory
}
