import { claims } from './claims.js'
import type { Origin, Specimen } from './forge.js'
import { headers } from './headers.js'
import { shapes } from './shapes.js'
import { signatures } from './signatures.js'
import { texts } from './texts.js'

/** A good token and every kind of manipulation of it, with the right key and without it. */
export function tokenCorpus({
  good,
  secret,
  keyServer = 'http://127.0.0.1:9',
  now = Date.now(),
}: Origin): Specimen[] {
  const [header, payload] = good.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  if (!header || !payload) throw new Error('not a token')
  const parts = { good, secret, keyServer, now, header: JSON.parse(header), claims: JSON.parse(payload) }
  return [
    { name: 'as it was written', token: good },
    ...headers(parts),
    ...texts(parts),
    ...claims(parts),
    ...signatures(parts),
    ...shapes(parts),
  ]
}

/** A good token with one bit of one character changed, for every bit of every character. */
export function bitFlips(good: string): Specimen[] {
  return [...good].flatMap((character, index) =>
    [0, 1, 2, 3, 4, 5, 6].map((bit) => ({
      name: `bit ${bit} of character ${index}`,
      token:
        good.slice(0, index) +
        String.fromCharCode(character.charCodeAt(0) ^ (1 << bit)) +
        good.slice(index + 1),
    })),
  )
}
