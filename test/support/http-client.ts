import { Agent, request as httpRequest, type OutgoingHttpHeaders } from 'node:http'
import type { Test } from 'tap'
import { requireDocumented } from './documented.js'

interface Answer {
  status: number
  headers: Record<string, unknown>
  text: string
}

/** Sends requests one after another on one connection, with paths and bodies unchanged. */
export function rawPathClient(t: Test, url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const { hostname, port } = new URL(url)

  return async (
    method: string,
    path: string,
    headers: OutgoingHttpHeaders = {},
    body: Uint8Array = new Uint8Array(),
  ) => {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const length = body.length > 0 ? { 'content-length': body.length } : {}
      const options = { agent, hostname, port, method, path, headers: { ...headers, ...length } }
      httpRequest(options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (piece) => {
          text += piece
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        )
      })
        .on('error', reject)
        .end(body)
    })
    requireDocumented(url, { method, path, ...answer })
    return answer
  }
}
