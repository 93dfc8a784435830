import { readFileSync, statSync } from 'node:fs'
import { OperatorError } from '../../refusals/operator-error.js'
import { textOf } from '../../text/utf8.js'
import { isObject, type PrivateJwk, signingKey } from './private-jwk.js'
import type { SigningKey } from './signing-key.js'

export interface KeySet {
  keys: SigningKey[]
  /** The JWKs that the keys were read from, in the same order. */
  jwks: PrivateJwk[]
  /** Whether every user of the machine can read the file. */
  exposed: boolean
}

/**
 * The private keys of a JWK set in a file (RFC 7517 §5), in its order. One malformed key makes the
 * whole set malformed.
 *
 * @throws OperatorError that names the file and the position of the key, and repeats no part of a
 *   key.
 */
export function readKeySet(path: string): KeySet {
  const name = `the key set ${path}`
  const { text, mode } = contentOf(path, name)
  if (text === undefined) throw new OperatorError(`${name}: is not UTF-8`)
  const set = parsed(text)
  if (!isObject(set) || !Array.isArray(set.keys)) {
    throw new OperatorError(`${name}: expected a JWK set: {"keys": […]}`)
  }
  if (set.keys.length === 0) throw new OperatorError(`${name}: holds no key`)
  const keys = set.keys.map((jwk, index) => signingKey(jwk, `${name}: key ${index + 1}`))
  requireDistinct(keys, name)
  return { keys, jwks: set.keys, exposed: (mode & 0o004) !== 0 }
}

function contentOf(path: string, name: string): { text: string | undefined; mode: number } {
  try {
    return { text: textOf(readFileSync(path)), mode: statSync(path).mode }
  } catch (error) {
    throw new OperatorError(`${name}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

function requireDistinct(keys: SigningKey[], name: string): void {
  for (const [index, key] of keys.entries()) {
    for (const [earlier, other] of keys.slice(0, index).entries()) {
      const both = `${name}: key ${index + 1} and key ${earlier + 1}`
      if (key.id === other.id) throw new OperatorError(`${both} have the same kid`)
      if (key.signsWith === other.signsWith) throw new OperatorError(`${both} are the same key`)
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
