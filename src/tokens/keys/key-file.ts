import { unwatchFile, watch, watchFile } from 'node:fs'
import { basename, dirname } from 'node:path'
import { OperatorError } from '../../refusals/operator-error.js'
import type { KeyRing } from './key-ring.js'
import { readKeySet } from './key-set.js'
import { type SigningKey, signingKeyOf } from './signing-key.js'

/**
 * Delay between the first event and reading, in milliseconds. A file is written, renamed and linked
 * in several steps.
 */
const SETTLE_MS = 200

/** Polling interval in milliseconds, for systems that report no changes. */
const POLL_MS = 5000

interface Needs {
  path: string
  keys: Pick<KeyRing, 'replace'>
  /** Further keys of the ring, after those of the file. */
  secrets: readonly SigningKey[]
  log: { info(text: string): void; warn(text: string): void; error(text: string): void }
}

/**
 * Keeps the ring in step with the file until it is closed. A malformed file is refused as a whole,
 * and the ring keeps its keys. Each change of the ring, or of the problem, is logged once.
 */
export function followKeyFile({ path, keys, secrets, log }: Needs) {
  let said = ''
  let settling: NodeJS.Timeout | undefined
  const watcher = watchDirectory()
  watchFile(path, { interval: POLL_MS, persistent: false }, readSoon)
  read()

  return { readAgain, close }

  /** Reads the file now, and logs the result even if it is the same as before. */
  function readAgain(): void {
    said = ''
    read()
  }

  function close(): void {
    clearTimeout(settling)
    watcher?.close()
    unwatchFile(path, readSoon)
  }

  /**
   * Watches the directory: secrets are replaced by renaming, and a watched file would be the old
   * one.
   */
  function watchDirectory() {
    try {
      const directory = watch(dirname(path), { persistent: false }, (_event, name) => {
        // Kubernetes renames the link ..data, through which all files of a volume are reached.
        if (name === null || name === basename(path) || name.startsWith('..')) readSoon()
      })
      return directory.on('error', () => directory.close())
    } catch {
      // The system has no more watches to give: polling is enough.
      return undefined
    }
  }

  function readSoon(): void {
    settling ??= setTimeout(read, SETTLE_MS).unref()
  }

  function read(): void {
    clearTimeout(settling)
    settling = undefined
    try {
      const set = readKeySet(path)
      const ring = [...set.keys, ...secrets]
      keys.replace(ring)
      if (set.exposed) say('warn', `${describe(ring)}; every user of this machine may read ${path}`)
      else say('info', describe(ring))
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error
      say('error', `${error.message}: the keys before it go on counting`)
    }
  }

  function say(level: 'info' | 'warn' | 'error', text: string): void {
    if (text !== said) log[level](text)
    said = text
  }
}

function describe(ring: SigningKey[]): string {
  const signing = signingKeyOf(ring)
  const names = ring.map((key) => `${key.id} (${key.algorithm}${key === signing ? ', signs' : ''})`)
  return `keys that count: ${names.join(', ')}`
}
