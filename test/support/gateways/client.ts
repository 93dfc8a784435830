import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'

/** Names as they are sent: each spelling is a header of its own, and each value is a line. */
export type Headers = Record<string, string | string[]>

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

interface Options {
  headers?: Headers
  body?: Uint8Array | string
  /** Fields after a chunked body, as names and values. */
  trailers?: readonly (readonly [string, string])[]
  /** The local address to ask from: all of 127.0.0.0/8 is this machine. */
  from?: string
  agent?: Agent
}

/** Sends one request, with the path unchanged, on a new connection unless an agent is given. */
export function ask(url: string, method: string, path: string, options: Options = {}): Promise<Answer> {
  const { headers = {}, body = '', trailers, from, agent = new Agent() } = options
  const { hostname, port } = new URL(url)
  const isChunked = 'Transfer-Encoding' in headers
  const length = body.length > 0 && !isChunked ? { 'Content-Length': String(Buffer.byteLength(body)) } : {}
  const lines = Object.entries({ Host: `${hostname}:${port}`, ...headers, ...length }).flatMap(
    ([name, values]) => [values].flat().flatMap((value) => [name, value]),
  )
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        hostname,
        port,
        method,
        path,
        // Node.js sends a list unchanged, and would merge the headers of an object.
        headers: lines as unknown as OutgoingHttpHeaders,
        ...(from !== undefined && { localAddress: from }),
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece) => (text += piece))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        )
        response.on('error', reject)
      },
    )
    sent.on('error', reject)
    if (trailers) sent.addTrailers(trailers as [string, string][])
    sent.end(body)
  })
}

export function bearer(token: string): { Authorization: string } {
  return { Authorization: `Bearer ${token}` }
}
