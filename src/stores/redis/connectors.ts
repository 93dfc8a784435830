import { connect, type TLSSocket } from 'node:tls'
import {
  AbstractConnector,
  type Redis,
  type RedisOptions,
  type SentinelConnectionOptions,
  SentinelConnector,
} from 'ioredis'

/**
 * ioredis hears one error of each socket, and Node.js may raise two: it refuses the certificate,
 * and then cannot read what came after it. Unheard, the second would end the process, whoever on
 * the way has sent it.
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

/** The same to the master that sentinels name, and to them. */
// @ts-expect-error: ioredis opens its connections to sentinels in a method that it keeps to itself.
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
