import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as SecureAgent } from 'node:https'
import { ServiceUnavailable } from './refusals.js'

/** An answer of the service, read whole, whatever it says. */
export interface Answer {
  status: number
  retryAfter: string | undefined
  text: string
}

/** Connections to the service; questions beyond them wait for one that is free. */
const MAX_CONNECTIONS = 100

/** Several times the longest answer of the service. */
const MAX_ANSWER_LENGTH = 64 * 1024

/** How a connection ends that the service has closed. */
const CLOSED_BY_PEER = new Set(['ECONNRESET', 'EPIPE'])

/**
 * Connections to one address of the service. They are kept alive, and keep no process from ending.
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
   * Sends JSON. Follows no redirect: an answer is the service's own.
   *
   * @throws ServiceUnavailable when none came in time.
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
   * Ends everything. What is under way, and whoever asks later, gets {@link ServiceUnavailable}.
   */
  function close(): void {
    isClosed = true
    for (const exchange of underWay) exchange.abort(new Error('closed'))
    agent.destroy()
  }

  /**
   * One request. Undefined when the connection was an old one that the service closed just as it
   * was used again: nothing was answered, and a question may be asked twice. Old connections run
   * out, so that a new one is used at last.
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
      // Not left to the request: one that still waits for a connection would be silent until it had
      // one.
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

/**
 * The code of what the network said; its message may be long and empty, for one that tried several
 * addresses.
 */
function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return `auth-service: ${code ?? message}`
}
