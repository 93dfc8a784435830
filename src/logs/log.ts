import { setTimeout as sleep } from 'node:timers/promises'
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'
import { type LogFile, openDescriptor, openLogFile } from './log-file.js'

/** Text that may wait for a slow disk or reader before lines are lost, in bytes. */
const MAX_WAITING_BYTES = 1 << 20

/** How much is written at once, in bytes. */
const MAX_WRITE_BYTES = 1 << 16

/** Pause before what could not be written is tried again, in milliseconds. */
const RETRY_MS = 500

/** How often it is said that lines cannot be written, in milliseconds. */
const SAY_EVERY_MS = 10_000

/** How long the last lines may take to be written at the end, in milliseconds. */
const FLUSH_LIMIT_MS = 500

const TOO_SLOW = 'it is written too slowly'

/** How many lines are lost since the trouble began, how many wait, and what the trouble is. */
export interface Trouble {
  lost: number
  waiting: number
  reason: string
}

export interface TroubleListener {
  /**
   * Lines cannot be written: once at the beginning, then every few seconds while lines are lost,
   * and at the end.
   */
  failing(trouble: Trouble): void
  /**
   * Lines can be written again. What this writes to the stream comes before the lines that wait,
   * and is never lost.
   */
  mended(trouble: Trouble): void
}

export interface LogStream extends DestinationStream {
  close(): Promise<void>
  listen?(listener: TroubleListener): void
}

/**
 * A file or standard output that never blocks and never fails a request: lines wait in memory up to
 * a limit and are lost beyond it, and an error of the disk is not an error of the service. What is
 * lost is counted.
 *
 * @param to the path of a file, `-` for standard output, or an open file descriptor.
 * @throws OperatorError when the file cannot be opened now.
 */
export function openLogStream(to: string | number): LogStream & { reopen(): void } {
  const file = openFile(to)
  const waiting: string[] = []
  let waitingBytes = 0
  let lost = 0
  let reason = ''
  let saidAt = Number.NEGATIVE_INFINITY
  let listener: TroubleListener | undefined
  let isMending = false
  let isStale = false
  let isSaid = false
  let isWriting = false
  let writing: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined
  let closing: Promise<void> | undefined

  return { write: add, reopen, close: closeOnce, listen }

  function listen(to: TroubleListener): void {
    listener = to
  }

  function add(line: string): void {
    if (closing) return
    const bytes = Buffer.byteLength(line)
    if (!isMending && waitingBytes + bytes > MAX_WAITING_BYTES) {
      lost++
      sayTrouble(reason || TOO_SLOW)
      return
    }
    if (isMending) waiting.unshift(line)
    else waiting.push(line)
    waitingBytes += bytes
    if (!retry) start()
  }

  /** At once, and not with the next line: whoever has renamed the file waits until it is let go. */
  function reopen(): void {
    isStale = true
    start()
  }

  function start(): void {
    clearTimeout(retry)
    retry = undefined
    if (!isWriting) writing = writeAll()
  }

  async function writeAll(): Promise<void> {
    isWriting = true
    while (isStale || waiting.length > 0) {
      const error = await writeSome()
      if (error) {
        sayTrouble(error.code ?? error.message)
        retry = setTimeout(start, RETRY_MS).unref()
        break
      }
      if (reason !== '') mend()
    }
    isWriting = false
  }

  async function writeSome(): Promise<NodeJS.ErrnoException | undefined> {
    try {
      if (isStale) file.reopen()
    } catch (error) {
      return error as Error
    }
    isStale = false
    let count = 0
    for (let bytes = 0; count < waiting.length && bytes < MAX_WRITE_BYTES; count++) {
      bytes += Buffer.byteLength(waiting[count] ?? '')
    }
    const { written, error } = await file.append(Buffer.from(waiting.slice(0, count).join('')))
    forgetLinesIn(written)
    return error
  }

  /** A line of which only a part was written is written again. */
  function forgetLinesIn(written: number): void {
    let count = 0
    for (let rest = written; count < waiting.length; count++) {
      const bytes = Buffer.byteLength(waiting[count] ?? '')
      if (bytes > rest) break
      rest -= bytes
      waitingBytes -= bytes
    }
    waiting.splice(0, count)
  }

  function sayTrouble(because: string): void {
    reason = because
    if (performance.now() - saidAt < SAY_EVERY_MS) return
    saidAt = performance.now()
    isSaid = true
    listener?.failing({ lost, waiting: waiting.length, reason })
  }

  function mend(): void {
    const trouble = { lost, waiting: waiting.length, reason }
    const isWorthSaying = isSaid || lost > 0
    lost = 0
    reason = ''
    isSaid = false
    isMending = true
    if (isWorthSaying) listener?.mended(trouble)
    isMending = false
  }

  function closeOnce(): Promise<void> {
    closing ??= close()
    return closing
  }

  async function close(): Promise<void> {
    const limit = new AbortController()
    const late = sleep(FLUSH_LIMIT_MS, undefined, { signal: limit.signal }).catch(() => undefined)
    await Promise.race([flush(), late])
    limit.abort()
    clearTimeout(retry)
    lost += waiting.length
    if (lost > 0) listener?.failing({ lost, waiting: 0, reason: reason || TOO_SLOW })
    if (!isWriting) file.close()
  }

  /** What could not be written just now is tried once more. */
  async function flush(): Promise<void> {
    await writing
    start()
    await writing
  }
}

function openFile(to: string | number): LogFile {
  if (typeof to === 'number') return openDescriptor(to)
  return to === '-' ? openDescriptor(process.stdout.fd) : openLogFile(to)
}

/** The log of the service itself: JSON lines on a stream. */
export function createLog(level: string, stream: LogStream): Logger {
  const log = pino({ level, timestamp: stdTimeFunctions.isoTime }, stream)
  stream.listen?.({
    failing: () => undefined,
    mended: ({ lost, reason }) => {
      if (lost > 0) log.error(`${linesLost(lost, 'this log')}: ${reason}`)
    },
  })
  return log
}

/** "1 line of this log was lost", "2 lines of this log were lost". */
export function linesLost(count: number, log: string): string {
  return count === 1 ? `1 line of ${log} was lost` : `${count} lines of ${log} were lost`
}
