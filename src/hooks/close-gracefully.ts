import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { Unavailable } from '../errors.js'

/**
 * How long clients have to send one more request and be told to go elsewhere, in milliseconds. The rest are closed while they
 * are idle, which cuts a request that is on its way just then: the longer a connection was idle, the less likely there is one.
 */
const DRAIN_MS = 2000

/** How long a connection that has just been accepted has until its first request must have come, in milliseconds. */
const SETTLE_MS = 100

/** How often it is looked whether connections are idle, or gone, in milliseconds. */
const LOOK_MS = 50

interface Needs {
  /** What all of the closing may take, in seconds. */
  shutdownSeconds: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether new requests are sent elsewhere by now. */
    isClosing(): boolean
  }
}

/** Once the service is told to stop, requests in flight are finished and new ones are sent elsewhere (503). */
export const closeGracefully = fp<Needs>(async (app, { shutdownSeconds }) => {
  // Most of a short time is left to what is in flight.
  const drainMs = Math.min(DRAIN_MS, shutdownSeconds * 200)
  let closing = false
  let sweep: NodeJS.Timeout | undefined
  app.decorate('isClosing', () => closing)
  app.addHook('preClose', async () => {
    closing = true
    if (!app.server.listening) return
    // A connection that is closed while it is idle may have a request on its way, and would cut it. Most are told first.
    await drain(app.server, drainMs)
    await stopListening(app.server)
    // Node closes what is idle at that moment; a connection that answers one more request would be kept alive.
    sweep = setInterval(() => app.server.closeIdleConnections(), LOOK_MS)
  })
  app.addHook('onClose', async () => clearInterval(sweep))
  app.addHook('onRequest', (_request, reply, done) => {
    if (!closing) return done()
    reply.header('connection', 'close')
    done(new Unavailable('closing'))
  })
})

async function drain(server: Server, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs
  while (performance.now() < end && (await connections(server)) > 0) await sleep(LOOK_MS)
}

/**
 * Stops accepting, and lets the connections that were accepted last bring their first request: closing the server at once
 * would take them for idle.
 */
async function stopListening(server: Server): Promise<void> {
  await acceptAllThatWait(server)
  NetServer.prototype.close.call(server)
  await sleep(SETTLE_MS)
  // So that what has come by now is read first, and its connection not taken for idle.
  await immediate()
}

/** What still waits in the kernel's queue when the listener goes is reset. A turn of the event loop accepts one connection. */
async function acceptAllThatWait(server: Server): Promise<void> {
  const end = performance.now() + SETTLE_MS
  // Only from one immediate to the next is it certain that the sockets were looked at in between.
  await immediate()
  let accepted: number
  do {
    accepted = 0
    const count = () => accepted++
    server.on('connection', count)
    await immediate()
    server.off('connection', count)
  } while (accepted > 0 && performance.now() < end)
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)))
}
