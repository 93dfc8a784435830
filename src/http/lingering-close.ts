import type { Socket } from 'node:net'

/** How long input is read and dropped after the last answer, in milliseconds. */
const LINGER_MS = 1000

const lingering = new WeakSet<Socket>()

/**
 * Ends a connection so that its last answer arrives (RFC 9112 §9.6). Closing a socket with unread
 * input sends a reset, which destroys the answer. So input is read and dropped until the caller
 * closes too, or the time is up.
 */
export function closeLingering(socket: Socket, lastAnswer: string): void {
  lingering.add(socket)
  const hangUp = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('end', () => socket.destroy()).once('close', () => clearTimeout(hangUp))
  socket.end(lastAnswer)
}

/** Whether the last answer has been sent: later parse errors need no answer. */
export function isLingering(socket: Socket): boolean {
  return lingering.has(socket)
}
