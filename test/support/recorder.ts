import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A proxy between clients and servers that keeps all bytes that it passes on. */
export interface Recorder {
  /** Resolves to a port through which the recorder passes connections to the server at `port`. */
  before(port: number): Promise<number>
  /** The bytes of each direction of each connection so far. */
  heard(): Buffer[]
}

export function createRecorder(t: Test): Recorder {
  const streams: Buffer[][] = []
  const open = new Set<{ destroy(): void }>()
  t.teardown(() => {
    for (const each of open) each.destroy()
  })
  return { before, heard: () => streams.map((chunks) => Buffer.concat(chunks)) }

  async function before(port: number): Promise<number> {
    const server = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      record(near, far)
      record(far, near)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    open.add({ destroy: () => server.close() })
    return (server.address() as { port: number }).port
  }

  function record(from: Socket, to: Socket): void {
    const chunks: Buffer[] = []
    streams.push(chunks)
    open.add(from)
    from.on('data', (bytes) => {
      chunks.push(bytes)
      to.write(bytes)
    })
    from.on('end', () => to.end())
    from.on('error', () => to.destroy())
    from.on('close', () => {
      open.delete(from)
      to.destroy()
    })
  }
}

/** TLS record types (RFC 8446 §5.1): change_cipher_spec, alert, handshake, application_data. */
const RECORD_TYPES = [20, 21, 22, 23]

/** Whether all bytes are TLS records; the last one may be truncated. */
export function isNothingButTls(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    const [type = 0, major] = bytes.subarray(at)
    if (!RECORD_TYPES.includes(type) || (major !== undefined && major !== 3)) return false
    if (at + 5 > bytes.length) return true
    at += 5 + bytes.readUInt16BE(at + 3)
  }
  return true
}
