import Fastify from 'fastify'
import { registerJwt } from '../../../src/http/jwt.js'

/** The signer and verifier of the service, without the service. */
export const jwt = await registerJwt(Fastify())
