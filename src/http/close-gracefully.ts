import { once } from 'node:events'
import { Server, type Socket } from 'node:net'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import fp from 'fastify-plugin'
import { Unavailable } from '../refusals/refusal.js'

/**
 * How long keep-alive connections have to send one more request and be told to close by its 503, in
 * milliseconds. The rest are closed while idle, which cuts a request that is on its way: the longer
 * a connection was idle, the less likely there is one.
 */
const DRAIN_MS = 2000

/** How long a newly accepted connection has to bring its first request, in milliseconds. */
const SETTLE_MS = 100

/** The interval at which connections are checked for being idle or gone, in milliseconds. */
const LOOK_MS = 50

interface Needs {
  /** How long the whole shutdown may take, in seconds. */
  shutdownSeconds: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The HTTP server, and the listeners that hand it the connections to its other addresses. */
    listeners: Server[]
  }
}

/** During shutdown, requests in flight are finished and new ones are refused with 503. */
export const closeGracefully = fp<Needs>(async (app, { shutdownSeconds }) => {
  // At most a fifth of the time: the rest is for requests in flight.
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
    // Closing an idle connection cuts a request that is on its way: most get a 503 first.
    await drain(app.listeners, drainMs)
    const closed = app.listeners.map((listener) => once(listener, 'close'))
    await stopListening(app.listeners, app.server)
    // Node closes only what is idle now, and keeps the other connections alive after their answer.
    sweep = setInterval(closeIdle, LOOK_MS)
    // Fastify waits only for its own server.
    await Promise.all(closed)
  })
  app.addHook('onClose', async () => clearInterval(sweep))
  app.addHook('onRequest', (_request, reply, done) => {
    if (!closing) return done()
    reply.header('connection', 'close')
    done(new Unavailable('closing'))
  })

  /** Node does not count a connection as idle before its first request. */
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
 * Stops accepting, and waits for the first request of the connections that were accepted last: a
 * sweep right away would take them for idle.
 */
async function stopListening(listeners: Server[], server: Server): Promise<void> {
  await acceptAllThatWait(server)
  for (const listener of listeners) Server.prototype.close.call(listener)
  await sleep(SETTLE_MS)
  // Read what has arrived by now, so that its connection does not look idle.
  await immediate()
}

/**
 * Closing a listener resets the connections that wait in the kernel's accept queue. Each turn of
 * the event loop accepts one of them.
 */
async function acceptAllThatWait(server: Server): Promise<void> {
  const end = performance.now() + SETTLE_MS
  // libuv is certain to poll the sockets only between two immediates.
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
