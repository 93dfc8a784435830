import { OperatorError } from '../../refusals/operator-error.js'
import type { PublicJwk, SigningKey } from './signing-key.js'

/** Its own type, so that no other token signed with the same key passes for a session (RFC 8725 §3.11). */
const TOKEN_TYPE = 'session+jwt'

/** A key that counts now. */
export interface RingKey {
  readonly key: SigningKey
  /** The JOSE header of every token that it signs (RFC 7515 §4). */
  readonly header: { readonly alg: string; readonly typ: string; readonly kid: string }
  /** The same as the first segment of a token. */
  readonly headerText: string
}

export type KeyRing = ReturnType<typeof createKeyRing>

/**
 * The keys that count now. A token is checked by the one key that writes exactly its header: compared as text, before
 * anything is parsed, which leaves no room for another algorithm, for `none`, crit, jwk, jku or x5u, for another key's
 * `kid`, or for a second spelling (RFC 8725 §3.1, §3.10).
 *
 * @throws OperatorError when none of the keys may sign.
 */
export function createKeyRing(keys: readonly SigningKey[]) {
  let ring = arrange(keys, [])

  return { signing, find, holds, replace, published }

  /** What new tokens are signed with: the first key that may. */
  function signing(): RingKey {
    return ring.signing
  }

  /** What checks tokens with this first segment. */
  function find(headerText: string): RingKey | undefined {
    return ring.byHeader.get(headerText)
  }

  /** Whether this key still counts. */
  function holds(key: RingKey): boolean {
    return ring.byHeader.get(key.headerText) === key
  }

  /**
   * From now on these keys count. What is remembered of one that stays counts too; one that is gone is refused at once.
   *
   * @throws OperatorError when none of them may sign: then all is as before.
   */
  function replace(next: readonly SigningKey[]): void {
    ring = arrange(next, [...ring.byHeader.values()])
  }

  /** The public keys, in the order of the ring. */
  function published(): PublicJwk[] {
    return ring.published
  }

  function arrange(keys: readonly SigningKey[], known: readonly RingKey[]) {
    const ringKeys = keys.map((key) => known.find((ringKey) => isSame(ringKey.key, key)) ?? ringKeyOf(key))
    const signing = ringKeys.find(({ key }) => key.signs)
    if (!signing) throw new OperatorError('no key may sign: promote one of JWT_KEYS_FILE, or set JWT_SECRET')
    return {
      signing,
      byHeader: new Map(ringKeys.map((ringKey) => [ringKey.headerText, ringKey])),
      published: keys.flatMap(({ publicJwk }) => publicJwk ?? []),
    }
  }
}

function isSame(one: SigningKey, other: SigningKey): boolean {
  const { id, algorithm, signs, signsWith } = one
  return (
    id === other.id && algorithm === other.algorithm && signs === other.signs && signsWith === other.signsWith
  )
}

function ringKeyOf(key: SigningKey): RingKey {
  const header = { alg: key.algorithm, typ: TOKEN_TYPE, kid: key.id }
  return { key, header, headerText: Buffer.from(JSON.stringify(header)).toString('base64url') }
}
