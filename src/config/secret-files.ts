import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { textOf } from '../text/utf8.js'
import { parseStoreUrl } from './store-urls/grammar.js'

/**
 * Settings that can also be read from a file named by `<NAME>_FILE`, as container secrets are
 * mounted.
 */
export const FILE_SETTINGS = [
  'DATABASE_URL',
  'REDIS_URL',
  'REDIS_SENTINEL_PASSWORD',
  'JWT_SECRET',
  'JWT_PREVIOUS_SECRETS',
] as const

/**
 * Adds the contents of such files to the settings. `problems` gets one line for each that cannot be
 * used.
 */
export function readSecretFiles(given: Record<string, string>, problems: string[]): void {
  for (const name of FILE_SETTINGS) {
    const path = given[`${name}_FILE`]
    if (!path) continue
    if (given[name]) problems.push(`${name}: is set twice, by ${name} and by ${name}_FILE`)
    try {
      const text = textOf(readFileSync(path))?.trim()
      if (text === undefined) problems.push(`${name}_FILE: is not UTF-8`)
      else if (/[\r\n]/.test(text)) problems.push(`${name}_FILE: has more than one line`)
      else given[name] = text
    } catch (error) {
      problems.push(`${name}_FILE: cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
}

/** A file that holds a secret, and the setting that names it. */
interface SecretFile {
  setting: string
  path: string
}

/**
 * The files that secrets come from. JWT_KEYS_FILE is not among them: followKeyFile warns of it.
 *
 * @param databaseUrl may name the file of a TLS client key; undefined in embedded mode.
 */
export function secretFilesOf(environment: NodeJS.ProcessEnv, databaseUrl: string | undefined): SecretFile[] {
  const files = FILE_SETTINGS.map((name) => ({ setting: `${name}_FILE`, path: environment[`${name}_FILE`] }))
  const sslkey = parseStoreUrl(databaseUrl ?? '')?.parameters.get('sslkey') ?? undefined
  return [...files, { setting: 'DATABASE_URL', path: sslkey }].flatMap(({ setting, path }) =>
    path ? [{ setting, path: resolve(path) }] : [],
  )
}
