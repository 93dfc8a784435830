import { once } from 'node:events'
import { Server, type Socket } from 'node:net'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import fp from 'fastify-plugin'
import { Unavailable } from '../refusals/refusal.js'

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
    /**
     * What accepts connections: the server itself, and what brings it those to its other addresses.
     */
    listeners: Server[]
  }
}

/** Once the service is told to stop, requests in flight are finished and new ones are sent elsewhere (503). */
export const closeGracefully = fp<Needs>(async (app, { shutdownSeconds }) => {
  // Most of a short time is left to what is in flight.
  const drainMs = Math.min(DRAIN_MS, shutdownSeconds * 200)
  const open = new Set<Socket>()
  let closing = false
  let sweep: NodeJS.Timeout | undefined
  app.server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  app.decorate('listeners', [app.server])
  app.addHook('preClose', async () => {
    closing = true
    if (!app.server.listening) return
    // A connection that is closed while it is idle may have a request on its way, and would cut it. Most are told first.
    await drain(app.listeners, drainMs)
    const closed = app.listeners.map((listener) => once(listener, 'close'))
    await stopListening(app.listeners, app.server)
    // Node closes what is idle at that moment; a connection that answers one more request would be kept alive.
    sweep = setInterval(closeIdle, LOOK_MS)
    // The app would wait for its own server alone.
    await Promise.all(closed)
  })
  app.addHook('onClose', async () => clearInterval(sweep))
  app.addHook('onRequest', (_request, reply, done) => {
    if (!closing) return done()
    reply.header('connection', 'close')
    done(new Unavailable('closing'))
  })

  /** For Node a connection on which nothing was ever sent is not idle. */
  function closeIdle(): void {
    app.server.closeIdleConnections()
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
  }
})

async function drain(listeners: Server[], limitMs: number): Promise<void> {
  const end = performance.now() + limitMs
  while (performance.now() < end && (await connections(listeners)) > 0) await sleep(LOOK_MS)
}

/**
 * Stops accepting, and lets the connections that were accepted last bring their first request: closing the server at once
 * would take them for idle.
 */
async function stopListening(listeners: Server[], server: Server): Promise<void> {
  await acceptAllThatWait(server)
  for (const listener of listeners) Server.prototype.close.call(listener)
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

async function connections(listeners: Server[]): Promise<number> {
  const counts = listeners.map((listener) => promisify(listener.getConnections.bind(listener))())
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}
