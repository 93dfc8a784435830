import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

/** The connections and requests that a server has received. */
export interface Traffic {
  connections: number
  requests: number
  /** Connections that are open now. */
  open: number
}

/** Counts the connections and requests of a server from now on. */
export function watchTraffic(server: Server): Traffic {
  const traffic = { connections: 0, requests: 0, open: 0 }
  server.on('connection', (socket: Socket) => {
    traffic.connections++
    traffic.open++
    socket.on('close', () => traffic.open--)
  })
  server.on('request', () => traffic.requests++)
  return traffic
}

/** A server in place of the service, for answers that the service never gives. */
export async function standIn(t: Test, answer: RequestListener): Promise<{ url: string; traffic: Traffic }> {
  const server = createHttpServer(answer)
  return { url: await listen(t, server), traffic: watchTraffic(server) }
}

/** A TCP server in place of the service, which treats connections as the test says. */
export async function tcpStandIn(t: Test, accept: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    accept(socket)
  })
  return { url: await listen(t, server), traffic: watchTraffic(server) }
}

/** A proxy before the service that keeps answers from `hold` until `release` or `cut`. */
export async function answerGate(t: Test, target: string) {
  const { port } = new URL(target)
  let isHolding = false
  const kept: { pass(): void; cut(): void }[] = []
  const { url } = await tcpStandIn(t, (near) => {
    const far = connect(Number(port), '127.0.0.1')
    far.on('error', () => undefined)
    near.pipe(far)
    far.on('data', (bytes) => {
      if (isHolding) kept.push({ pass: () => near.write(bytes), cut: () => near.destroy() })
      else near.write(bytes)
    })
    near.on('close', () => far.destroy())
  })
  return {
    url,
    /** The number of pieces of answers that wait. */
    kept: () => kept.length,
    hold() {
      isHolding = true
    },
    release() {
      isHolding = false
      for (const answer of kept.splice(0)) answer.pass()
    },
    cut() {
      isHolding = false
      for (const answer of kept.splice(0)) answer.cut()
    },
  }
}

/** Lets a server listen on a free port, and ends it with the test. */
export async function listen(t: Test, server: Server): Promise<string> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}
