import type { Socket } from 'node:net'

/** For how long what a client goes on sending is read and dropped after its last answer, in milliseconds. */
const LINGER_MS = 1000

const lingering = new WeakSet<Socket>()

/**
 * Ends a connection so that its last answer arrives (RFC 9112 §9.6): closed at once, while bytes of the client's wait unread,
 * it would be reset, and the answer lost with it. What the client still sends is read and dropped until it closes, too,
 * or its time is up.
 */
export function closeLingering(socket: Socket, lastAnswer: string): void {
  lingering.add(socket)
  const hangUp = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('end', () => socket.destroy()).once('close', () => clearTimeout(hangUp))
  socket.end(lastAnswer)
}

/** Whether the last answer has been given: what is still wrong with what comes is nobody's business. */
export function isLingering(socket: Socket): boolean {
  return lingering.has(socket)
}
