import { randomBytes } from 'node:crypto'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Config } from '../config/config.js'
import { Refusal } from '../refusals/refusal.js'
import { jsonText, notParsed } from './body-text.js'
import { createProxies } from './client-address.js'
import { answerClientError, answerError } from './error-answers.js'
import { createHttpServer, MAX_HEADER_BYTES } from './node-server.js'
import { withoutSubPath } from './routes/identify.js'

type Needs = Pick<Config, 'trustProxy' | 'keepAliveSeconds'>

/** Ids unique across processes: a random prefix and a counter allocate less than a UUID. */
function requestIds(): () => string {
  const prefix = randomBytes(9).toString('base64url')
  let requests = 0
  return () => `${prefix}-${(++requests).toString(36)}`
}

/** Fastify with its limits, parser and error handler, without routes. */
export function createServer({ trustProxy, keepAliveSeconds }: Needs, log: FastifyBaseLogger) {
  const proxies = createProxies({ trusted: trustProxy, log })
  const answer = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
    answerError(error, request, reply, log)
  const app = Fastify({
    // No Fastify logger: with one, Fastify listens for the end of every answer and checks the
    // methods of each request's child logger. This service writes its own log lines.
    genReqId: requestIds(),
    rewriteUrl: (request) => withoutSubPath(request.url ?? '/'),
    // Fastify's own 503 while closing is not in the envelope: closeGracefully answers instead.
    return503OnClosing: false,
    // Refuse values that do not fit: by default Fastify coerces or removes them.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    // The router must not refuse a long path parameter: the schema does, after authentication.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    bodyLimit: 4096,
    // Our own server: for `localhost` Fastify would open a second one, without the limits.
    serverFactory: (listener) => createHttpServer(listener, { keepAliveSeconds, proxies, log }),
    frameworkErrors: answer,
    clientErrorHandler: answerClientError,
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.decorate('proxies', proxies)

  // JSON only: by default Fastify also parses text/plain.
  app.removeAllContentTypeParsers()
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request: FastifyRequest, bytes: Buffer, done) => {
      const text = jsonText(request.raw, bytes)
      parseJson(request, text, (error, body) => done(error && notParsed(text), body))
    },
  )
  app.setErrorHandler(answer)
  app.setNotFoundHandler(() => {
    throw new Refusal('not_found')
  })
  return app
}
