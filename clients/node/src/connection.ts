import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as SecureAgent } from 'node:https'
import { ServiceUnavailable } from './refusals.js'

/** A complete answer of any status. `retryAfter` is the raw header. */
export interface Answer {
  status: number
  retryAfter: string | undefined
  text: string
}

/** Requests beyond this number wait for a free connection. */
const MAX_CONNECTIONS = 100

/** In characters: several times the longest answer of the service. */
const MAX_ANSWER_LENGTH = 64 * 1024

/** Error codes of a connection that the service has closed. */
const CLOSED_BY_PEER = new Set(['ECONNRESET', 'EPIPE'])

/**
 * A pool of keep-alive connections to one URL of the service. Idle connections do not keep the
 * process alive.
 *
 * @param limitMs how long an answer may take, in milliseconds.
 */
export function connectTo(url: URL, limitMs: number) {
  const isSecure = url.protocol === 'https:'
  const agent = new (isSecure ? SecureAgent : Agent)({ keepAlive: true, maxSockets: MAX_CONNECTIONS })
  const startRequest = isSecure ? httpsRequest : httpRequest
  const underWay = new Set<AbortController>()
  let isClosed = false

  return { post, close }

  /**
   * Posts JSON. Follows no redirect.
   *
   * @throws ServiceUnavailable without an answer in time, or after {@link close}.
   */
  async function post(body: string): Promise<Answer> {
    const end = performance.now() + limitMs
    try {
      for (;;) {
        const answer = await exchange(body, end - performance.now())
        if (answer) return answer
      }
    } catch (error) {
      throw new ServiceUnavailable(reasonOf(error as NodeJS.ErrnoException))
    }
  }

  /**
   * Closes all connections. Requests under way and later ones fail with {@link ServiceUnavailable}.
   */
  function close(): void {
    isClosed = true
    for (const exchange of underWay) exchange.abort(new Error('closed'))
    agent.destroy()
  }

  /**
   * One request. Undefined if the service closed an idle connection just as it was reused: the
   * caller repeats the request, which is idempotent. Reused connections run out, so the last try is
   * on a new one.
   */
  function exchange(body: string, leftMs: number): Promise<Answer | undefined> {
    if (isClosed) throw new Error('closed')
    const request = startRequest(url, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    })
    const withdrawn = new AbortController()
    const giveUp = () => withdrawn.abort(new Error(`no answer within ${limitMs} ms`))
    const timer = setTimeout(giveUp, Math.max(0, leftMs))
    underWay.add(withdrawn)
    return new Promise<Answer | undefined>((resolve, reject) => {
      // Reject here: a destroyed request emits no error while it waits for a connection.
      withdrawn.signal.addEventListener('abort', () => {
        reject(withdrawn.signal.reason)
        request.destroy()
      })
      request.once('response', (response) => readWhole(response).then(resolve, reject))
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (request.reusedSocket && CLOSED_BY_PEER.has(error.code ?? '')) resolve(undefined)
        else reject(error)
      })
      request.end(body)
    }).finally(() => {
      clearTimeout(timer)
      underWay.delete(withdrawn)
    })
  }
}

async function readWhole(response: IncomingMessage): Promise<Answer> {
  let text = ''
  for await (const piece of response.setEncoding('utf8')) {
    text += piece
    if (text.length > MAX_ANSWER_LENGTH) throw new Error('an answer too long')
  }
  return { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], text }
}

/** Prefers the code: the message of an AggregateError over several addresses may be empty. */
function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return `auth-service: ${code ?? message}`
}
