import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Errors of file systems without hard links. */
const WITHOUT_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/**
 * Writes a new file that only its owner can read. It appears complete or not at all, even after a
 * power cut, and never replaces another file. Of several processes that write it at the same time,
 * one succeeds.
 *
 * @throws the error of the system, such as EEXIST. Then nothing has changed.
 */
export function writeNewFile(path: string, text: string): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    writeToDisk(draft, () => text)
    linkOrRename(draft, path)
  } finally {
    rmSync(draft, { force: true })
  }
  syncDirectory(dirname(path))
}

/**
 * Creates a file that only its owner can read. It exists before `text` is called, so that nobody
 * else can take its name meanwhile, and is removed if that fails.
 *
 * @throws the error of the system or of `text`; EEXIST when the file exists.
 */
export function writeToDisk(path: string, text: () => string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(file, text())
    fsyncSync(file)
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}

/** Linking fails if the target exists, renaming does not. */
function linkOrRename(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!WITHOUT_LINKS.includes(`${(error as NodeJS.ErrnoException).code}`)) throw error
    // Reserves the name, so that nobody else takes it.
    closeSync(openSync(path, 'wx', 0o600))
    renameSync(draft, path)
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } catch (error) {
    // Some file systems cannot sync directories.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    closeSync(directory)
  }
}
