import { OperatorError } from '../../refusals/operator-error.js'
import type { PublicJwk, SigningKey } from './signing-key.js'

/**
 * A type of its own, so that no other token signed with the same key passes for a session (RFC 8725
 * §3.11).
 */
const TOKEN_TYPE = 'session+jwt'

/** A key in the ring. */
export interface RingKey {
  readonly key: SigningKey
  /** The JOSE header of every token that it signs (RFC 7515 §4). */
  readonly header: { readonly alg: string; readonly typ: string; readonly kid: string }
  /** The encoded header: the first segment of such a token. */
  readonly headerText: string
}

export type KeyRing = ReturnType<typeof createKeyRing>

/**
 * The keys that sign and verify now. A token is verified by the one key that writes exactly its
 * header, compared as text before anything is parsed. This rules out another algorithm, `none`,
 * crit, jwk, jku, x5u, the `kid` of another key and a second spelling (RFC 8725 §3.1, §3.10).
 *
 * @throws OperatorError when none of the keys may sign.
 */
export function createKeyRing(keys: readonly SigningKey[]) {
  let ring = arrange(keys, [])

  return { signing, find, holds, replace, published }

  /** The key that signs new tokens: the first that may. */
  function signing(): RingKey {
    return ring.signing
  }

  /** The key that verifies tokens with this first segment. */
  function find(headerText: string): RingKey | undefined {
    return ring.byHeader.get(headerText)
  }

  /** Whether this key is still in the ring. */
  function holds(key: RingKey): boolean {
    return ring.byHeader.get(key.headerText) === key
  }

  /**
   * Replaces the keys. Tokens that are remembered with a key that stays remain verified. Those of a
   * key that is gone are refused at once.
   *
   * @throws OperatorError when none of the keys may sign. The ring is then unchanged.
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
