import fp from 'fastify-plugin'
import { Refusal } from '../../refusals/refusal.js'
import { isRepeated } from '../repeated-header.js'

/** Refuses two Host headers (RFC 9112 §3.2): a proxy and this service may use different ones. */
export const oneHost = fp(async (app) => {
  app.addHook('onRequest', ({ raw }, _reply, done) =>
    done(isRepeated(raw.rawHeaders, 'host') ? new Refusal('invalid_request') : undefined),
  )
})
