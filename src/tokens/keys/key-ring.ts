import { createSigner, createVerifier } from 'fast-jwt'
import { OperatorError } from '../../refusals/operator-error.js'
import type { PublicJwk, SigningKey } from './signing-key.js'

/** Its own type, so that no other token signed with the same key passes for a session (RFC 8725 §3.11). */
const TOKEN_TYPE = 'session+jwt'

/** What a token has to say besides its signature. */
interface Terms {
  issuer: string
  audience: string | undefined
}

interface Needs extends Terms {
  /** The first one that may sign signs; all of them check. */
  keys: readonly SigningKey[]
}

/** One key at work. */
export interface Seal {
  readonly key: SigningKey
  /** The first segment of every token that it has signed or will sign. */
  readonly header: string
  sign(claims: object): string
  /** The payload of a genuine token. Throws whatever the library makes of any other. */
  verify(token: string): unknown
}

export type KeyRing = ReturnType<typeof createKeyRing>

/**
 * The keys that count now. A token is checked by the one key that writes exactly its header: compared as text, before
 * anything is parsed, which leaves no room for another algorithm, for `none`, crit, jwk, jku or x5u, for another key's
 * `kid`, or for a second spelling (RFC 8725 §3.1, §3.10).
 *
 * @throws OperatorError when none of the keys may sign.
 */
export function createKeyRing({ keys, issuer, audience }: Needs) {
  let ring = arrange(keys, [])

  return { signing, find, holds, replace, published }

  /** What new tokens are signed with. */
  function signing(): Seal {
    return ring.signing
  }

  /** What checks tokens with this first segment. */
  function find(header: string): Seal | undefined {
    return ring.byHeader.get(header)
  }

  /** Whether this key still counts. */
  function holds(seal: Seal): boolean {
    return ring.byHeader.get(seal.header) === seal
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

  function arrange(keys: readonly SigningKey[], known: readonly Seal[]) {
    const seals = keys.map(
      (key) => known.find((seal) => isSame(seal.key, key)) ?? createSeal(key, { issuer, audience }),
    )
    const signing = seals.find(({ key }) => key.signs)
    if (!signing) throw new OperatorError('no key may sign: promote one of JWT_KEYS_FILE, or set JWT_SECRET')
    return {
      signing,
      byHeader: new Map(seals.map((seal) => [seal.header, seal])),
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

/** With fast-jwt itself, as @fastify/jwt takes its keys once, before the server starts: these come and go. */
function createSeal(key: SigningKey, { issuer, audience }: Terms): Seal {
  const { id, algorithm } = key
  const sign = createSigner({
    key: key.signsWith,
    algorithm,
    kid: id,
    header: { alg: algorithm, typ: TOKEN_TYPE },
  })
  const verify = createVerifier({
    key: key.checksWith,
    algorithms: [algorithm],
    allowedIss: issuer,
    ...(audience === undefined ? {} : { allowedAud: audience }),
    requiredClaims: ['iss', 'sub', 'jti', 'iat', 'exp', 'data'],
    // Expiry is judged apart: an expired token is refused by its own name, and may still log out.
    ignoreExpiration: true,
    cache: false,
  })
  return { key, header: sign({}).split('.', 1)[0] ?? '', sign, verify }
}
