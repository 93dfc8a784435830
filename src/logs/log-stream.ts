import { setTimeout as sleep } from 'node:timers/promises'
import { isatty } from 'node:tty'
import type { DestinationStream } from 'pino'
import { lineForPeople } from './for-people.js'
import { openDescriptor, openLogFile } from './log-file.js'
import { createTroubleReport, type TroubleListener } from './trouble.js'
import { createWaitingLines } from './waiting-lines.js'

/** Bytes after which one write is large enough. */
const MAX_WRITE_BYTES = 1 << 16

/** Pause before a failed write is tried again, in milliseconds. */
const RETRY_MS = 500

/** How long writing the last lines may take at the end, in milliseconds. */
const FLUSH_LIMIT_MS = 500

export interface LogStream extends DestinationStream {
  close(): Promise<void>
  listen?(listener: TroubleListener): void
}

/**
 * A file or standard output that never blocks and never fails a request. Lines wait in memory up to
 * a limit. Lines beyond it are lost and counted. An error of the disk is no error of the service. A
 * terminal gets the lines in a form for people.
 *
 * @param to the path of a file, `-` for standard output, or an open file descriptor.
 * @throws OperatorError when the file cannot be opened now.
 */
export function openLogStream(to: string | number): LogStream & { reopen(): void } {
  const fd = to === '-' ? process.stdout.fd : to
  const file = typeof fd === 'number' ? openDescriptor(fd) : openLogFile(fd)
  const isForPeople = typeof fd === 'number' && isatty(fd)
  const lines = createWaitingLines()
  const trouble = createTroubleReport(lines.count)
  let isMending = false
  let isStale = false
  let isWriting = false
  let writing: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined
  let closing: Promise<void> | undefined

  return { write: add, reopen, close: closeOnce, listen: trouble.listen }

  function add(json: string): void {
    if (closing) return
    const line = isForPeople ? lineForPeople(json) : json
    if (isMending) lines.addFirst(line)
    else if (!lines.add(line)) {
      trouble.lose()
      return
    }
    if (!retry) start()
  }

  /** Reopens at once, not with the next line: logrotate waits until the renamed file is closed. */
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
    while (isStale || lines.count() > 0) {
      const error = await writeSome()
      if (error) {
        trouble.fail(error.code ?? error.message)
        retry = setTimeout(start, RETRY_MS).unref()
        break
      }
      isMending = true
      trouble.mend()
      isMending = false
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
    const { written, error } = await file.append(lines.first(MAX_WRITE_BYTES))
    lines.forget(written)
    return error
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
    trouble.end()
    if (!isWriting) file.close()
  }

  /** Tries once more to write what could not be written just now. */
  async function flush(): Promise<void> {
    await writing
    start()
    await writing
  }
}
