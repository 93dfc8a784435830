import { unwatchFile, watch, watchFile } from 'node:fs'
import { basename, dirname } from 'node:path'
import { OperatorError } from '../../refusals/operator-error.js'
import type { KeyRing } from './key-ring.js'
import { readKeySet } from './key-set.js'
import { type SigningKey, signingKeyOf } from './signing-key.js'

/** A file is written, renamed and linked in several steps: it is read so long after the first of them, in milliseconds. */
const SETTLE_MS = 200

/** How often it is looked whether the file has changed where the system does not say so, in milliseconds. */
const POLL_MS = 5000

interface Needs {
  path: string
  keys: Pick<KeyRing, 'replace'>
  /** Keys that count besides those of the file, after them. */
  secrets: readonly SigningKey[]
  log: { info(text: string): void; warn(text: string): void; error(text: string): void }
}

/**
 * Keeps the ring as the file is, from now until it is closed. A file that is not in order is refused as a whole: the keys
 * before it go on counting. Says once what the ring is, or what is wrong.
 */
export function followKeyFile({ path, keys, secrets, log }: Needs) {
  let said = ''
  let settling: NodeJS.Timeout | undefined
  const watcher = watchDirectory()
  watchFile(path, { interval: POLL_MS, persistent: false }, readSoon)
  read()

  return { readAgain, close }

  /** Reads the file now, and says what came of it even where that is nothing new. */
  function readAgain(): void {
    said = ''
    read()
  }

  function close(): void {
    clearTimeout(settling)
    watcher?.close()
    unwatchFile(path, readSoon)
  }

  /** The directory, for secrets are replaced by renaming: a watched file would be the one that is gone. */
  function watchDirectory() {
    try {
      const directory = watch(dirname(path), { persistent: false }, (_event, name) => {
        // Kubernetes renames the link ..data, through which all files of a volume are reached.
        if (name === null || name === basename(path) || name.startsWith('..')) readSoon()
      })
      return directory.on('error', () => directory.close())
    } catch {
      // Some systems have no more watches to give: looking every few seconds does it, too.
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
