import fastifyJwt from '@fastify/jwt'
import Fastify from 'fastify'
import { createTokens, jwtOptions } from '../../../src/services/tokens.js'
import { SECRET } from '../../helper.js'

const DAY_SECONDS = 86_400

/** Writes the tokens of logins that were never made: all of that stamp, signed with the tests' key, good for a day. */
export async function createSigner(stamp: number): Promise<(userId: number, sessionId: string) => string> {
  const app = Fastify()
  const settings = { issuer: 'auth-service', audience: undefined }
  await app.register(fastifyJwt, jwtOptions({ jwtSecret: SECRET, ...settings }))
  await app.ready()
  const tokens = createTokens({ jwt: app.jwt, ...settings })
  const issuedAt = Math.floor(stamp / 1000)
  return (userId, sessionId) => tokens.sign({ userId, sessionId, stamp, issuedAt, ttl: DAY_SECONDS })
}
