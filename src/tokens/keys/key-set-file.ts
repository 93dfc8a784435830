import { chmodSync, chownSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import { OperatorError } from '../../refusals/operator-error.js'
import { type KeySet, readKeySet } from './key-set.js'
import { writeNewFile, writeToDisk } from './new-file.js'
import type { PrivateJwk } from './private-jwk.js'

/** The text of a JWK set. */
export function keySetText(keys: PrivateJwk[]): string {
  return `${JSON.stringify({ keys }, null, 2)}\n`
}

/** Writes a set into a new file that its owner alone may read. @throws OperatorError when there is such a file already. */
export function createKeySet(path: string, keys: PrivateJwk[]): void {
  try {
    writeNewFile(path, keySetText(keys))
  } catch (error) {
    throw asOperatorError(error, path, `${path} exists already: --add adds a key to it`)
  }
}

/**
 * Replaces a set by another one: whoever reads it meanwhile reads all of the one or all of the other. Its owner and mode
 * stay as they are.
 *
 * @throws OperatorError when the set is not in order, or cannot be replaced: then it is as before.
 */
export function changeKeySet(path: string, change: (set: KeySet) => PrivateJwk[]): void {
  readKeySet(path)
  // A link stays a link.
  const target = realpathSync(path)
  const draft = `${target}.new`
  try {
    // Read while no other command can be between reading and writing: no change is lost.
    writeToDisk(draft, () => keySetText(change(readKeySet(target))))
  } catch (error) {
    const taken = `${draft} exists: another command is changing the keys now, or was cut off and has left it behind`
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
