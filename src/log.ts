import { mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'
import sonicBoom from 'sonic-boom'
import { OperatorError } from './errors.js'

/** Text that may wait for a slow disk or reader before lines are dropped, in bytes. */
const MAX_WAITING_BYTES = 1 << 20

/** How long the last lines may take to be written at the end, in milliseconds. */
const FLUSH_LIMIT_MS = 500

export interface LogStream extends DestinationStream {
  close(): Promise<void>
}

/**
 * A file or standard output that never blocks and never fails a request: lines wait in memory up to a limit and
 * are dropped beyond it, and an error of the disk is not an error of the service. pino's own destination
 * would, on a full disk, keep the process from answering and from ending.
 *
 * @param to the path of a file, `-` for standard output, or an open file descriptor.
 * @throws OperatorError when the file cannot be opened now: later, nobody would notice.
 */
export function openLogStream(to: string | number): LogStream {
  const fd = typeof to === 'number' ? to : to === '-' ? process.stdout.fd : openToAppend(to)
  const stream = new sonicBoom.SonicBoom({ fd, sync: false, maxLength: MAX_WAITING_BYTES })
  stream.on('error', () => undefined)

  return { write: (line) => void stream.write(line), close }

  async function close(): Promise<void> {
    const ended = new Promise<void>((resolve) => stream.once('close', resolve))
    stream.end()
    const limit = setTimeout(() => stream.destroy(), FLUSH_LIMIT_MS)
    await ended
    clearTimeout(limit)
  }
}

function openToAppend(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, 'a', 0o600)
  } catch (error) {
    throw new OperatorError(`cannot write the log ${path} (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** The log of the service itself: JSON lines on a stream. */
export function createLog(level: string, stream: LogStream): Logger {
  return pino({ level, timestamp: stdTimeFunctions.isoTime }, stream)
}
