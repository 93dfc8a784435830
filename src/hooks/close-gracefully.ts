import fp from 'fastify-plugin'
import { Unavailable } from '../errors.js'

/** How often connections that have become idle are closed while the service ends, in milliseconds. */
const SWEEP_MS = 50

/** Once the service is told to stop, requests in flight are finished and new ones are sent elsewhere (503). */
export const closeGracefully = fp(async (app) => {
  let sweep: NodeJS.Timeout | undefined
  app.addHook('preClose', async () => {
    // Node closes what is idle at that moment; a connection that answers one more request would be kept alive.
    sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS)
  })
  app.addHook('onClose', async () => clearInterval(sweep))
  app.addHook('onRequest', async () => {
    if (sweep) throw new Unavailable('closing')
  })
})
