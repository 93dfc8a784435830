import { connect, type TLSSocket } from 'node:tls'
import {
  AbstractConnector,
  type Redis,
  type RedisOptions,
  type SentinelConnectionOptions,
  SentinelConnector,
} from 'ioredis'

/**
 * ioredis listens for one error per socket, but Node.js may emit two: it rejects the certificate,
 * then cannot read the data that follows. An error without a listener ends the process, and anyone
 * on the network path can cause the second one.
 */
function deafTo<Socket extends { on(event: 'error', listener: () => void): unknown }>(
  socket: Socket,
): Socket {
  socket.on('error', () => undefined)
  return socket
}

/** Opens a connection over TLS. */
export class TlsConnector extends AbstractConnector {
  private readonly to: RedisOptions

  constructor(options: unknown) {
    const to = options as RedisOptions
    super(to.disconnectTimeout ?? 0)
    this.to = to
  }

  override async connect(): Promise<TLSSocket> {
    this.connecting = true
    const { host, port, tls } = this.to
    const socket = deafTo(connect({ host, port, ...tls }))
    socket.once('error', (error) => {
      this.firstError = error
    })
    this.stream = socket
    return socket
  }
}

/** Opens connections over TLS to the sentinels, and to the master that they name. */
// @ts-expect-error: connectToSentinel is private in ioredis.
export class TlsSentinelConnector extends SentinelConnector {
  constructor(options: unknown) {
    super(options as SentinelConnectionOptions)
  }

  override async connect(...args: Parameters<SentinelConnector['connect']>) {
    return deafTo(await super.connect(...args))
  }

  override connectToSentinel(endpoint: unknown, options: RedisOptions = {}): Redis {
    // @ts-expect-error: see above.
    return super.connectToSentinel(endpoint, { ...options, Connector: TlsConnector })
  }
}
