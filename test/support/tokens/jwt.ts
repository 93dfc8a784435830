import Fastify from 'fastify'
import { registerJwt } from '../../../src/http/jwt.js'

/** What signs and verifies, as the service has it, without the service. */
export const jwt = await registerJwt(Fastify())
