import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '../../refusals/operator-error.js'
import { isStrongSecret } from '../../secrets/signing-secret.js'
import { makePrivateDirectory } from '../../stores/embedded/data-directory.js'
import { textOf } from '../../text/utf8.js'
import { writeNewFile } from './new-file.js'

/** Where embedded mode keeps its signing secret. */
export function ownSecretPath(dataDir: string): string {
  return join(dataDir, 'jwt_secret')
}

/**
 * The signing secret of this data directory, made at its first use. It is checked like every other
 * secret: a damaged or handmade file may hold one that can be guessed.
 *
 * @throws OperatorError when the file cannot be read or written, or holds no strong secret.
 */
export async function ownSecret(dataDir: string): Promise<string> {
  const path = ownSecretPath(dataDir)
  await makePrivateDirectory(dataDir)
  if (!existsSync(path)) makeSecret(path)
  const { secret, problem } = readSecret(path)
  if (problem === undefined) return secret
  throw new OperatorError(
    `the signing key in ${path} ${problem}: restore it, or delete it: a new one is then made, and all users have to log in again`,
  )
}

function makeSecret(path: string): void {
  try {
    writeNewFile(path, randomBytes(48).toString('base64'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Another process was faster: its secret is used.
    if (code !== 'EEXIST') throw new OperatorError(`DATA_DIR: cannot write ${path} (${code})`)
  }
}

function readSecret(path: string): { secret: string; problem?: string } {
  try {
    if (!statSync(path).isFile()) return { secret: '', problem: 'is not a file' }
    const secret = textOf(readFileSync(path))?.trim()
    if (secret === undefined) return { secret: '', problem: 'is not UTF-8' }
    if (secret === '') return { secret, problem: 'is empty' }
    return isStrongSecret(secret) ? { secret } : { secret, problem: 'is short, or can be guessed' }
  } catch (error) {
    return { secret: '', problem: `cannot be read (${(error as NodeJS.ErrnoException).code})` }
  }
}
