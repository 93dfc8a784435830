import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { OperatorError } from '../refusals/operator-error.js'

const stat = promisify(fs.stat)
const fstat = promisify(fs.fstat)
const read = promisify(fs.read)
const write = promisify(fs.write)

/** Pause before a full pipe is written to again, in milliseconds. */
const FULL_PIPE_MS = 50

const LINE_BREAK = '\n'.charCodeAt(0)

/** A file, pipe or terminal to which lines are appended. */
export interface LogFile {
  /** @returns how many of these bytes were written, and why not all of them. */
  append(lines: Buffer): Promise<Appended>
  /** Opens the file by its name again. */
  reopen(): void
  close(): void
}

interface Appended {
  written: number
  error?: NodeJS.ErrnoException
}

/**
 * The file with this name. If the name is gone or belongs to another file, as after a rotation, the
 * next line goes to a new file with this name, or to that other one.
 *
 * @throws OperatorError when it cannot be opened now.
 */
export function openLogFile(path: string): LogFile {
  let file = openFirst(path)

  return { append, reopen, close: () => file.close() }

  async function append(lines: Buffer) {
    try {
      const found = await stat(path).catch(ignoreMissing)
      if (found?.ino !== file.ino || found.dev !== file.dev) reopen()
    } catch (error) {
      return { written: 0, error: error as NodeJS.ErrnoException }
    }
    return file.append(lines)
  }

  function reopen(): void {
    const former = file
    file = openToAppend(path)
    former.close()
  }
}

/** An open descriptor, such as standard output. It has no name by which to reopen it. */
export function openDescriptor(fd: number): LogFile {
  return { ...appendTo(fd), reopen: () => undefined, close: () => undefined }
}

function openFirst(path: string) {
  try {
    return openToAppend(path)
  } catch (error) {
    throw new OperatorError(`cannot write the log ${path} (${(error as NodeJS.ErrnoException).code})`)
  }
}

/**
 * Synchronous calls do not block later on, either: `stat` goes first, and on a disk that hangs it
 * does not answer.
 */
function openToAppend(path: string) {
  fs.mkdirSync(dirname(path), { recursive: true })
  const fd = fs.openSync(path, 'a', 0o600)
  const { ino, dev } = fs.fstatSync(fd)
  return { ino, dev, ...appendTo(fd) }
}

/** Appends lines. A line that any process has cut off stays a line of its own. */
function appendTo(fd: number) {
  const reader = readerOf(fd)
  let isCut = false

  return { append, close }

  async function append(lines: Buffer): Promise<Appended> {
    try {
      if (reader !== undefined) isCut = await endsWithinLine(reader)
    } catch (error) {
      return { written: 0, error: error as NodeJS.ErrnoException }
    }
    const start = isCut ? 1 : 0
    const bytes = isCut ? Buffer.concat([Buffer.of(LINE_BREAK), lines]) : lines
    const { written, error } = await writeAll(fd, bytes)
    if (written > 0) isCut = bytes[written - 1] !== LINE_BREAK
    return { written: Math.max(0, written - start), ...(error && { error }) }
  }

  function close(): void {
    fs.closeSync(fd)
    if (reader !== undefined) fs.closeSync(reader)
  }
}

async function writeAll(fd: number, bytes: Buffer): Promise<Appended> {
  let written = 0
  while (written < bytes.length) {
    try {
      written += (await write(fd, bytes, written)).bytesWritten
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return { written, error: error as Error }
      await sleep(FULL_PIPE_MS)
    }
  }
  return { written }
}

/**
 * The same file opened for reading. Undefined for what has no end to look at, such as a pipe, and
 * on systems that cannot open a file by its descriptor.
 */
function readerOf(fd: number): number | undefined {
  try {
    return fs.fstatSync(fd).isFile() ? fs.openSync(`/dev/fd/${fd}`, 'r') : undefined
  } catch {
    return undefined
  }
}

async function endsWithinLine(fd: number): Promise<boolean> {
  const { size } = await fstat(fd)
  if (size === 0) return false
  const { bytesRead, buffer } = await read(fd, Buffer.alloc(1), 0, 1, size - 1)
  return bytesRead === 1 && buffer[0] !== LINE_BREAK
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}
