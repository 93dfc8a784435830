import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  port: number
  /** How many connections it has accepted. */
  accepted(): number
  /** How many connections are open. */
  connected(): number
  /** Sends new connections elsewhere. */
  retarget(port: number): void
  cut(): void
  /** Passes nothing on over the open connections, and tells neither side: like a firewall. */
  forget(): void
  close(): void
}

/**
 * Whether the proxy passes these bytes on to the client, or cuts the connection instead. `sent`:
 * what the client sent last.
 */
export type Passes = (bytes: Buffer, sent: string) => boolean

/**
 * A TCP proxy on loopback, between the service and a store or between a caller and the service.
 *
 * @param lateMs how much later bytes arrive, in each direction.
 */
export async function startProxy(
  target: number,
  passes: Passes = () => true,
  { lateMs = 0 } = {},
): Promise<TcpProxy> {
  let current = target
  const open = new Set<Socket>()
  const forgotten = new WeakSet<Socket>()
  let accepted = 0
  const later = (act: () => void) => void (lateMs > 0 ? setTimeout(act, lateMs) : act())
  const server = createServer((near) => {
    accepted++
    const far = connect(current, '127.0.0.1')
    let sent = ''
    for (const socket of [near, far]) {
      open.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (bytes) => {
      if (forgotten.has(near)) return
      sent = bytes.toString('latin1')
      later(() => far.write(bytes))
    })
    far.on('data', (bytes) => {
      if (passes(bytes, sent)) later(() => near.write(bytes))
      else near.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    accepted: () => accepted,
    connected: () => open.size / 2,
    retarget(port) {
      current = port
    },
    cut,
    forget() {
      for (const socket of open) forgotten.add(socket)
    },
    close() {
      cut()
      server.close()
    },
  }
}
