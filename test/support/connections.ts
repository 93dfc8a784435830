import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { request } from './raw-http.js'

export function connectFrom(localAddress: string, port: number): Socket {
  return connect({ host: '127.0.0.1', port, localAddress }).on('error', () => undefined)
}

export function isServed(socket: Socket): Promise<boolean> {
  if (isClosed(socket)) return Promise.resolve(false)
  socket.write(request('GET', '/livez'))
  return new Promise((resolve) => {
    socket.once('data', (received) => resolve(String(received).startsWith('HTTP/1.1 200 ')))
    socket.once('close', () => resolve(false))
  })
}

export async function isTurnedAway(socket: Socket): Promise<boolean> {
  await hasClosed(socket)
  return socket.bytesRead === 0
}

export async function hasClosed(socket: Socket | undefined): Promise<void> {
  // A socket ends only once it is read.
  socket?.resume()
  if (socket && !isClosed(socket)) await once(socket, 'close')
}

export function isClosed({ closed, readableEnded }: Socket): boolean {
  return closed || readableEnded
}
