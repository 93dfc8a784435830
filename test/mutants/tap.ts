import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface Tap {
  port: number
  /** Calls `see` with what the service sends, before it is passed on. */
  watch(see: (sent: string) => void): void
  /** Drops everything on the connections that are open, which stay open. New ones work. */
  freeze(): void
  close(): void
}

/**
 * A proxy in front of a store. It can stop at an exact statement, or let every connection go dead.
 */
export async function startTap(target: number): Promise<Tap> {
  const open = new Set<Socket>()
  let generation = 0
  let see: (sent: string) => void = () => undefined
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    const born = generation
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from)
      from.setNoDelay(true)
      from.on('error', () => undefined)
      from.on('close', () => {
        open.delete(from)
        to.destroy()
      })
      from.on('data', (bytes) => {
        if (born !== generation) return
        if (from === near) see(bytes.toString('latin1'))
        to.write(bytes)
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    watch: (next) => {
      see = next
    },
    freeze: () => {
      generation++
    },
    close: () => {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}
