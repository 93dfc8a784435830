import { createServer, type RequestListener, type Server } from 'node:http'

/** Connections that are open at the same time: more could take the descriptors that the stores and the log need. */
const MAX_CONNECTIONS = 10_000

/** Bytes of a request's line and headers together. */
export const MAX_HEADER_BYTES = 8192

interface Needs {
  /** How long a connection may be idle between two requests. */
  keepAliveSeconds: number
}

/** The one server behind every address that the service listens at, with its limits. */
export function createHttpServer(listener: RequestListener, { keepAliveSeconds }: Needs): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      // Counted from the moment at which a connection is accepted.
      headersTimeout: 3000,
      requestTimeout: 5000,
      connectionsCheckingInterval: 500,
      keepAliveTimeout: keepAliveSeconds * 1000,
    },
    listener,
  )
  // Node keeps the first thousand headers by default: a second Authorization beyond them would go unseen.
  server.maxHeadersCount = 0
  server.maxConnections = MAX_CONNECTIONS
  return server
}
