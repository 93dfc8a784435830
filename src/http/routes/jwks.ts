import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { KeyRing } from '../../tokens/keys/key-ring.js'
import { type Documented, refusals } from '../openapi.js'
import { closed, OneOf } from '../schemas.js'

interface Needs {
  keys: Pick<KeyRing, 'published'>
}

/**
 * How long others may cache the keys, in seconds. A new key must be published for this long before
 * it signs, and others trust a withdrawn key for this long. Long enough that nobody fetches the
 * keys for every token.
 */
const MAX_AGE_SECONDS = 60

const PublicJwk = closed(
  {
    kty: OneOf(['OKP', 'EC', 'RSA']),
    crv: Type.Optional(Type.String({ description: 'The curve: `Ed25519` or `P-256`.' })),
    x: Type.Optional(Type.String()),
    y: Type.Optional(Type.String()),
    n: Type.Optional(Type.String({ description: 'The modulus of an RSA key.' })),
    e: Type.Optional(Type.String({ description: 'The exponent of an RSA key.' })),
    kid: Type.String({ description: 'The key id, as in the header of a token.' }),
    alg: OneOf(['EdDSA', 'ES256', 'RS256']),
    use: OneOf(['sig']),
  },
  { title: 'PublicKey', description: 'A public key in the form of RFC 7517.' },
)

/** In the form of RFC 7517 §5, which libraries expect, without the platform's envelope. */
export const jwks: FastifyPluginAsyncTypebox<Needs> = async (app, { keys }) => {
  const schema = {
    tags: ['tokens'],
    operationId: 'jwks',
    summary: 'The public keys that verify tokens',
    description:
      'A JWK set (RFC 7517), empty if tokens are signed with a secret (HS256). A signature proves who ' +
      'issued a token, not that its session is live: ask /verify or /identify for that.',
    response: {
      200: {
        ...closed(
          { keys: Type.Array(PublicJwk) },
          { title: 'KeySet', description: 'The keys to trust now.' },
        ),
        headers: {
          'Cache-Control': Type.String({ description: 'How long the keys may be cached.' }),
        },
      },
      ...refusals(),
    },
  } satisfies Documented

  app.get('/.well-known/jwks.json', { schema }, async (_request, reply) => {
    reply.header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`)
    return { keys: keys.published() }
  })
}
