import { createServer, type RequestListener, type Server } from 'node:http'
import { type Proxies, peerNetwork } from './client-address.js'
import { shareConnections } from './connections.js'
import { safeAnswer } from './safe-answer.js'

/** Leaves file descriptors for the stores and the log. */
const MAX_CONNECTIONS = 10_000

/** Bytes of the request line and the headers together. */
export const MAX_HEADER_BYTES = 8192

interface Needs {
  /** How long a connection may be idle between two requests, in seconds. */
  keepAliveSeconds: number
  proxies: Pick<Proxies, 'isProxy'>
  log: { warn(message: string): void }
}

/** The HTTP server behind every address that the service listens at, with its limits. */
export function createHttpServer(
  listener: RequestListener,
  { keepAliveSeconds, proxies: { isProxy }, log }: Needs,
): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node counts both from the accept of a connection, for its first request.
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
  // By default Node drops headers after the thousandth: a second Authorization could hide there.
  server.maxHeadersCount = 0
  shareConnections(server, {
    max: MAX_CONNECTIONS,
    networkOf: ({ remoteAddress }) => (isProxy(remoteAddress) ? undefined : peerNetwork(remoteAddress)),
    log,
  })
  return server
}

/** The last of a list: the value that the proxy connected to this service has appended. */
const HTTPS = /(?:^|,)\s*https\s*$/i
