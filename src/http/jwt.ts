import fastifyJwt, { type JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'

/**
 * Registers @fastify/jwt without a key of its own: each call passes a key of the ring, because keys
 * change at run time. So `request.jwtVerify`, which checks no session, cannot be used by mistake.
 */
export async function registerJwt(app: FastifyInstance): Promise<JWT> {
  await app.register(fastifyJwt, { secret: noKey })
  return app.jwt
}

function noKey(): never {
  throw new Error('a token is signed and verified with a key of the ring')
}
