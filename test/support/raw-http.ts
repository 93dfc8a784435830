import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { requireDocumented } from './documented.js'

/** An answer as it came over the wire. */
export interface RawAnswer {
  status: number
  headers: Record<string, string>
  text: string
}

export interface Exchange {
  answers: RawAnswer[]
  /** Whether the service has closed the connection, rather than waiting for more. */
  closed: boolean
  /** Milliseconds until the first byte of an answer, or until the end where none came. */
  afterMs: number
}

interface Options {
  /** How many answers to wait for where the connection stays open. */
  answers?: number
  /** How long to wait for them, or for the end. */
  waitMs?: number
  /** Milliseconds between two pieces. */
  pauseMs?: number
  /** Another address of this machine to connect from: loopback has all of 127.0.0.0/8. */
  localAddress?: string
  /** An answer to HEAD announces a body that does not follow. */
  head?: boolean
}

/** Sends bytes unchanged, in pieces, and resolves to all answers until the service closes. */
export async function exchange(
  url: string,
  bytes: string | Buffer | Iterable<string | Buffer>,
  {
    answers = Number.POSITIVE_INFINITY,
    waitMs = 8000,
    pauseMs = 0,
    head = false,
    localAddress,
  }: Options = {},
): Promise<Exchange> {
  const { hostname, port } = new URL(url)
  const socket = connect({
    port: Number(port),
    host: hostname.replace(/^\[|\]$/g, ''),
    ...(localAddress && { localAddress }),
  })
  const started = performance.now()
  let received = ''
  let closed = false
  let afterMs: number | undefined
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const giveUp = setTimeout(stop, waitMs)
  socket.on('close', () => {
    closed = true
    stop()
  })
  // A reset after an answer closes the connection as well: the answer before it counts.
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    afterMs ??= performance.now() - started
    received += chunk.toString('latin1')
    if (parse(received, head).length >= answers) stop()
  })

  const pieces = typeof bytes === 'string' || Buffer.isBuffer(bytes) ? [bytes] : [...bytes]
  for (const piece of pieces) {
    if (closed) break
    socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
    if (pauseMs > 0) await Promise.race([sleep(pauseMs), stopped])
  }
  await stopped
  clearTimeout(giveUp)
  socket.destroy()
  const found = parse(received, head)
  requireFirstDocumented(url, pieces, found[0])
  return { answers: found, closed, afterMs: afterMs ?? performance.now() - started }
}

/**
 * Only the first answer is sure to belong to the first request line. Refusals of Node.js itself
 * have no content type.
 */
function requireFirstDocumented(url: string, [start = '']: (string | Buffer)[], answer?: RawAnswer): void {
  const [, method, path] = /^([A-Z-]+) (\S+) HTTP\/1\.1\r\n/.exec(String(start)) ?? []
  if (!answer?.headers['content-type'] || method === undefined || path === undefined) return
  requireDocumented(url, { method, path, ...answer })
}

/** A request as text. Adds the Content-Length of `body` unless a header announces the body. */
export function request(method: string, path: string, headers: string[] = [], body = ''): string {
  const announced = headers.some((line) => /^(content-length|transfer-encoding)/i.test(line))
  const length = body === '' || announced ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`]
  return [`${method} ${path} HTTP/1.1`, 'Host: auth.test', ...headers, ...length, '', body].join('\r\n')
}

/** The answers that have arrived whole. */
function parse(text: string, head: boolean): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = text
  for (;;) {
    const end = rest.indexOf('\r\n\r\n') + 4
    if (end < 4) return answers
    const [start = '', ...lines] = rest.slice(0, end - 4).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    const length = head ? 0 : lengthOf(headers, rest.slice(end))
    if (length > rest.length - end) return answers
    answers.push({ status: Number(start.split(' ')[1]), headers, text: rest.slice(end, end + length) })
    rest = rest.slice(end + length)
  }
}

/** Answers of Node.js itself are chunked, in one chunk. */
function lengthOf(headers: Record<string, string>, rest: string): number {
  if (headers['transfer-encoding'] !== 'chunked') return Number(headers['content-length'] ?? 0)
  const last = rest.indexOf('0\r\n\r\n')
  return last < 0 ? Number.POSITIVE_INFINITY : last + 5
}
