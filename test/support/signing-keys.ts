import { createPublicKey } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newKey } from '../../src/tokens/keys/new-key.js'
import { type PrivateJwk, signingKey } from '../../src/tokens/keys/private-jwk.js'
import type { SigningKey } from '../../src/tokens/keys/signing-key.js'
import { temporaryDirectory } from './service-process.js'

/** The signing key of a private JWK. */
export function keyOf(jwk: PrivateJwk): SigningKey {
  return signingKey(jwk, 'a key of the test')
}

/** A new file with these keys, as an operator keeps it: of mode 600, replaced by renaming. */
export function keyFile(...keys: PrivateJwk[]) {
  const path = join(temporaryDirectory(), 'keys.json')
  replace(...keys)
  return { path, replace, write }

  function replace(...keys: PrivateJwk[]): void {
    write(JSON.stringify({ keys }))
  }

  function write(text: string | Uint8Array): void {
    writeFileSync(`${path}.draft`, text, { mode: 0o600 })
    renameSync(`${path}.draft`, path)
  }
}

/** All encodings of the public half of a key, each of which could be taken for a secret. */
export function spellingsOf({ checksWith, publicJwk }: SigningKey): Record<string, string | Buffer> {
  const pem = checksWith.toString()
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' })
  const { kid, alg, use, ...bare } = publicJwk ?? {}
  const member = publicJwk?.x ?? publicJwk?.n ?? ''
  return {
    PEM: pem,
    'PEM without its last line break': pem.trim(),
    'PEM in one line': pem.replaceAll('\n', ''),
    'PEM with a space in front': ` ${pem}`,
    'the base64 of PEM': Buffer.from(pem).toString('base64'),
    DER: der,
    'the base64 of DER': der.toString('base64'),
    'the hexadecimal of DER': der.toString('hex'),
    JWK: JSON.stringify(publicJwk),
    'JWK with what is required only': JSON.stringify(bare),
    'JWK set': JSON.stringify({ keys: [publicJwk] }),
    'its first member': member,
    'the bytes of its first member': Buffer.from(member, 'base64url'),
    kid: kid ?? '',
    nothing: '',
  }
}

/** One new key of each kind. Making them takes a second. */
export function oneOfEach() {
  return { EdDSA: newKey('EdDSA'), ES256: newKey('ES256'), RS256: newKey('RS256') }
}

/** The kids that an instance publishes, in order. */
export async function publishedBy(url: string): Promise<string[]> {
  const response = await fetch(`${url}/.well-known/jwks.json`, { headers: { connection: 'close' } })
  const { keys } = (await response.json()) as { keys: { kid: string }[] }
  return keys.map(({ kid }) => kid)
}
