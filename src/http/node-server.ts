import { createServer, type RequestListener, type Server } from 'node:http'
import { type Proxies, peerNetwork } from './client-address.js'
import { shareConnections } from './connections.js'
import { safeAnswer } from './safe-answer.js'

/**
 * Connections that are open at the same time: more could take the descriptors that the stores and
 * the log need.
 */
const MAX_CONNECTIONS = 10_000

/** Bytes of a request's line and headers together. */
export const MAX_HEADER_BYTES = 8192

interface Needs {
  /** How long a connection may be idle between two requests. */
  keepAliveSeconds: number
  proxies: Pick<Proxies, 'isProxy'>
}

/** The one server behind every address that the service listens at, with its limits. */
export function createHttpServer(
  listener: RequestListener,
  { keepAliveSeconds, proxies: { isProxy } }: Needs,
): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      // Counted from the moment at which a connection is accepted.
      headersTimeout: 3000,
      requestTimeout: 5000,
      connectionsCheckingInterval: 500,
      keepAliveTimeout: keepAliveSeconds * 1000,
      ServerResponse: safeAnswer(
        ({ headers, socket }) =>
          headers['x-forwarded-proto'] !== undefined &&
          isProxy(socket.remoteAddress) &&
          HTTPS.test(String(headers['x-forwarded-proto'])),
      ),
    },
    listener,
  )
  // Node keeps the first thousand headers by default: a second Authorization beyond them would go
  // unseen.
  server.maxHeadersCount = 0
  shareConnections(server, {
    max: MAX_CONNECTIONS,
    networkOf: ({ remoteAddress }) => (isProxy(remoteAddress) ? undefined : peerNetwork(remoteAddress)),
  })
  return server
}

/**
 * What the proxy that is connected to this service said: the last in a list, for each proxy may add
 * its own.
 */
const HTTPS = /(?:^|,)\s*https\s*$/i
