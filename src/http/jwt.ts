import fastifyJwt, { type JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'

/**
 * Signing and verifying by @fastify/jwt, without a key or a rule of its own: each call brings those
 * of the key ring, which come and go. Nothing verifies by itself with `request.jwtVerify`.
 */
export async function registerJwt(app: FastifyInstance): Promise<JWT> {
  await app.register(fastifyJwt, { secret: noKey })
  return app.jwt
}

function noKey(): never {
  throw new Error('a token is signed and verified with a key of the ring')
}
