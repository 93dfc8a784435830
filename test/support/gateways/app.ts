import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { Test } from 'tap'

/** A request as the app behind the gateway received it. */
export interface Seen {
  method: string
  url: string
  /** Names as they came, and values, alternating. */
  headers: string[]
  /** Fields after the body, which some servers take for headers. */
  trailers: string[]
  body: { length: number; digest: string }
}

export interface App {
  port: number
  /** All requests that it has received. */
  seen: Seen[]
}

/** Answers with the identity that it received; /private/answers/<status> sets the status. */
export async function startApp(t: Test): Promise<App> {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const { method = '', url = '', rawHeaders } = request
    const body = await digest(request)
    seen.push({ method, url, headers: rawHeaders, trailers: request.rawTrailers, body })
    const status = Number(/^\/private\/answers\/(\d+)/.exec(url)?.[1] ?? 200)
    const identity = { user: request.headers['x-user-id'], session: request.headers['x-session-id'] }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(identity))
  })
  // A request that it cannot parse has reached it, too.
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code?.startsWith('HPE_')) {
      seen.push({ method: '', url: '', headers: [], trailers: [], body: { length: 0, digest: '' } })
    }
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, seen }
}

async function digest(request: IncomingMessage): Promise<Seen['body']> {
  const hash = createHash('sha256')
  let length = 0
  for await (const piece of request) {
    hash.update(piece)
    length += piece.length
  }
  return { length, digest: hash.digest('hex') }
}
