import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** What file systems answer that know no second name of a file. */
const WITHOUT_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/**
 * Writes a new file that its owner alone may read. It is there whole or not at all, also after a
 * power cut, and never in the place of another one: of several processes that write it at the same
 * time, one does.
 *
 * @throws what the system says, EEXIST among it: then nothing has changed.
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
 * Writes a file that is not there yet, and for its owner alone. It is there from the beginning, so
 * that nobody else can take its name while `text` is made, and gone again where that fails.
 *
 * @throws what the system or `text` says, EEXIST where there is such a file already.
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

/** A link fails where there is such a file already, as renaming does not. */
function linkOrRename(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!WITHOUT_LINKS.includes(`${(error as NodeJS.ErrnoException).code}`)) throw error
    // Takes the name, so that nobody else does.
    closeSync(openSync(path, 'wx', 0o600))
    renameSync(draft, path)
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } catch (error) {
    // Some file systems do not sync directories.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    closeSync(directory)
  }
}
