import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import fastJson from 'fast-json-stringify'
import fp from 'fastify-plugin'
import type { Session } from '../../sessions/session.js'
import type { Sessions } from '../../sessions/sessions.js'
import { presentedToken } from '../bearer-token.js'
import type {} from '../close-gracefully.js'
import { rememberRefusal } from '../hooks/require-session.js'
import { isRepeated } from '../repeated-header.js'
import { Identified, identityOf } from './identify.js'

interface Needs {
  sessions: Pick<Sessions, 'identify'>
}

const serialize = fastJson(Identified)

/**
 * Answers `GET /identify` for the holder of a live session before Fastify sees the request, and just as the route does: to be
 * routed, hooked and replied to is a tenth of what a check costs. Whatever else is asked goes to Fastify as it came, and so does
 * whoever is refused, for only there is it known how to say no.
 */
export const identifyShortcut = fp<Needs>(async (app, { sessions }) => {
  const toFastify = app.server.listeners('request')[0] as RequestListener
  app.server.off('request', toFastify).on('request', (request, response) => {
    const token = isPlain(request) && !app.isClosing() ? tokenOf(request) : undefined
    if (token === undefined) return toFastify(request, response)
    // Nothing is to come. Node would find that out at the end, by letting the request flow.
    request.read(0)
    sessions.identify(token).then(
      (session) => answer(response, session),
      (refusal) => {
        rememberRefusal(request, refusal)
        toFastify(request, response)
      },
    )
  })
})

/** Spelled as nearly everyone does, without a body, and without a wish. */
function isPlain({ method, url, headers, rawHeaders }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    url === '/identify' &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    headers.prefer === undefined &&
    !isRepeated(rawHeaders, 'host')
  )
}

function tokenOf(request: IncomingMessage): string | undefined {
  try {
    return presentedToken(request)
  } catch {
    return undefined
  }
}

function answer(response: ServerResponse, session: Session): void {
  const body = serialize(identityOf(session))
  response.writeHead(200, {
    'cache-control': 'no-store',
    'x-user-id': String(session.userId),
    'x-session-id': session.sessionId,
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
  })
  // To the socket as one text, before the end of the answer, which Node otherwise adds as a second and empty one: to uncork sends at
  // once, where a write alone would wait for the end. Numbers and fixed words: in Latin-1 its bytes are the same as in UTF-8, and
  // take less time to count and to copy.
  response.cork()
  response.write(body, 'latin1')
  response.uncork()
  response.end()
}
