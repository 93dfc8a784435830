import fp from 'fastify-plugin'
import { Refusal } from '../../refusals/refusal.js'
import { isRepeated } from '../repeated-header.js'

/** A request with two Host headers is two requests to two readers, and refused (RFC 9112 §3.2). */
export const oneHost = fp(async (app) => {
  app.addHook('onRequest', ({ raw }, _reply, done) =>
    done(isRepeated(raw.rawHeaders, 'host') ? new Refusal('invalid_request') : undefined),
  )
})
