import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { Unavailable } from '../errors.js'

/** How long clients have to send one more request and be told to go elsewhere, in milliseconds. */
const DRAIN_MS = 300

/** How often it is looked whether connections are idle, or gone, in milliseconds. */
const LOOK_MS = 50

/** Once the service is told to stop, requests in flight are finished and new ones are sent elsewhere (503). */
export const closeGracefully = fp(async (app) => {
  let closing = false
  let sweep: NodeJS.Timeout | undefined
  app.addHook('preClose', async () => {
    closing = true
    // A connection that is closed while it is idle may have a request on its way, and would cut it. Most are told first.
    await drain(app.server)
    // Node closes what is idle at that moment; a connection that answers one more request would be kept alive.
    sweep = setInterval(() => app.server.closeIdleConnections(), LOOK_MS)
  })
  app.addHook('onClose', async () => clearInterval(sweep))
  app.addHook('onRequest', async (_request, reply) => {
    if (!closing) return
    reply.header('connection', 'close')
    throw new Unavailable('closing')
  })
})

async function drain(server: Server): Promise<void> {
  const end = performance.now() + DRAIN_MS
  while (performance.now() < end && (await connections(server)) > 0) await sleep(LOOK_MS)
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)))
}
