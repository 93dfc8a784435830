import dns from 'node:dns'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type {} from './close-gracefully.js'

interface Place {
  host: string
  port: number
  backlog: number
}

/** Error codes for an address that a name has but this machine lacks, such as ::1 without IPv6. */
export const NOT_HERE = ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']

/**
 * Listens at every address of a host name: `localhost` is 127.0.0.1 and ::1. All connections go to
 * the app's one server, so the same limits and the same shutdown apply to them.
 *
 * @returns the addresses as URLs.
 */
export async function listenEverywhere(app: FastifyInstance, place: Place): Promise<string[]> {
  const found = await promisify(dns.lookup)(place.host, { all: true })
  const urls: string[] = []
  let refusal: unknown
  for (const host of new Set(found.map(({ address }) => address))) {
    const listen = urls.length === 0 ? listenFirst : listenBeside
    try {
      urls.push(await listen(app, { ...place, host }))
    } catch (error) {
      if (!NOT_HERE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      refusal = error
    }
  }
  if (urls.length === 0) throw refusal
  return urls
}

function listenFirst(app: FastifyInstance, place: Place): Promise<string> {
  return app.listen(place)
}

/** Fastify would open a second HTTP server here, without the limits of the first. */
async function listenBeside(app: FastifyInstance, { host, backlog }: Place): Promise<string> {
  const { port } = app.server.address() as AddressInfo
  // The socket options that Node's HTTP server uses.
  const listener = createServer({ allowHalfOpen: true, noDelay: true })
  listener.on('connection', (socket) => app.server.emit('connection', socket))
  listener.listen({ host, port, backlog })
  await once(listener, 'listening')
  app.listeners.push(listener)
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
