/**
 * `tsx test/support/published-keys.ts LIST…` adds the keys of these files to
 * src/secrets/published-keys.ts. It adds digests, so that the file reveals no key, and only of keys
 * that would be accepted otherwise. A line of a list is a secret, or a JWK of a key pair.
 */
import { createPublicKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { DIGESTS, digestOf } from '../../src/secrets/published-keys.js'
import { isStrongSecret, readings } from '../../src/secrets/signing-secret.js'
import { thumbprint } from '../../src/tokens/keys/signing-key.js'

const MODULE = new URL('../../src/secrets/published-keys.ts', import.meta.url)

const DIGEST_LENGTH = digestOf(Buffer.alloc(0)).length

const DIGESTS_IN_A_LINE = 12

const digests = new Set(DIGESTS.split(/\s+/).flatMap(digestsIn))
for (const list of process.argv.slice(2)) {
  const before = digests.size
  for (const line of readFileSync(list, 'utf8').split(/\r?\n/))
    for (const digest of digestsOf(line)) digests.add(digest)
  console.log(`${list}: ${digests.size - before} digests`)
}
write([...digests].sort())

function digestsOf(line: string): string[] {
  if (line.startsWith('{"')) {
    const publicKey = asPublicKey(line)
    if (publicKey) return [thumbprint(publicKey).slice(0, DIGEST_LENGTH)]
  }
  if (!isStrongSecret(line)) return []
  // The innermost reading: the key itself, in whatever encoding it is written.
  const { bytes } = readings(Buffer.from(line)).at(-1) ?? {}
  return bytes === undefined ? [] : [digestOf(bytes)]
}

function asPublicKey(text: string) {
  try {
    return createPublicKey({ key: JSON.parse(text), format: 'jwk' })
  } catch {
    return undefined
  }
}

function digestsIn(line: string): string[] {
  return line.match(new RegExp(`.{${DIGEST_LENGTH}}`, 'g')) ?? []
}

function write(sorted: string[]): void {
  const lines = sorted.flatMap((_, index) =>
    index % DIGESTS_IN_A_LINE === 0 ? [sorted.slice(index, index + DIGESTS_IN_A_LINE).join('')] : [],
  )
  const code = readFileSync(MODULE, 'utf8').replace(/`[^`]*`/, `\`\n${lines.join('\n')}\n\``)
  writeFileSync(MODULE, code)
  console.log(`${sorted.length} digests in all`)
}
