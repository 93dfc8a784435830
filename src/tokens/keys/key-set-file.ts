import { chmodSync, chownSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import { OperatorError } from '../../refusals/operator-error.js'
import { type KeySet, readKeySet } from './key-set.js'
import { writeNewFile, writeToDisk } from './new-file.js'
import type { PrivateJwk } from './private-jwk.js'

/** The text of a JWK set, as key files hold it. */
export function keySetText(keys: PrivateJwk[]): string {
  return `${JSON.stringify({ keys }, null, 2)}\n`
}

/**
 * Writes a set to a new file that only its owner can read.
 *
 * @throws OperatorError when the file exists or cannot be written.
 */
export function createKeySet(path: string, keys: PrivateJwk[]): void {
  try {
    writeNewFile(path, keySetText(keys))
  } catch (error) {
    throw asOperatorError(error, path, `${path} exists already: --add adds a key to it`)
  }
}

/**
 * Replaces a set atomically: a reader gets all of the old set or all of the new one. Owner and mode
 * of the file stay the same.
 *
 * @throws OperatorError when the set is malformed or cannot be replaced. The file is then
 *   unchanged.
 */
export function changeKeySet(path: string, change: (set: KeySet) => PrivateJwk[]): void {
  readKeySet(path)
  // A symbolic link stays a link.
  const target = realpathSync(path)
  const draft = `${target}.new`
  try {
    // The draft is a lock. The set is read while no other command can change it, so no change is
    // lost.
    writeToDisk(draft, () => keySetText(change(readKeySet(target))))
  } catch (error) {
    const taken = `${draft} exists: another command is changing the keys now, or was interrupted and left it behind`
    throw asOperatorError(error, draft, taken)
  }
  try {
    const { mode, uid, gid } = statSync(target)
    chmodSync(draft, mode & 0o777)
    chownSync(draft, uid, gid)
    renameSync(draft, target)
  } catch (error) {
    rmSync(draft, { force: true })
    throw asOperatorError(error, path)
  }
}

function asOperatorError(error: unknown, path: string, ifTaken = `${path} exists already`): Error {
  if (error instanceof OperatorError) return error
  const { code } = error as NodeJS.ErrnoException
  return new OperatorError(code === 'EEXIST' ? ifTaken : `${path}: cannot be written (${code})`)
}
