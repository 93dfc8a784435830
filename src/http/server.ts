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
import { jsonText } from './body-text.js'
import { createProxies } from './client-address.js'
import { answerClientError, answerError } from './error-answers.js'
import { createHttpServer, MAX_HEADER_BYTES } from './node-server.js'
import { withoutSubPath } from './routes/identify.js'

type Needs = Pick<Config, 'trustProxy' | 'keepAliveSeconds'>

/** Ids that no other process gives, and this one only once. A new UUID for each would be half a kilobyte of garbage. */
function requestIds(): () => string {
  const prefix = randomBytes(9).toString('base64url')
  let requests = 0
  return () => `${prefix}-${(++requests).toString(36)}`
}

/** Fastify with its limits, its parser and its refusals, and no route. */
export function createServer({ trustProxy, keepAliveSeconds }: Needs, log: FastifyBaseLogger) {
  const proxies = createProxies({ trusted: trustProxy, log })
  const answer = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
    answerError(error, request, reply, log)
  const app = Fastify({
    // Without a logger: for one Fastify listens to the end of every answer, and looks at each request's child for all its methods.
    // What is worth a line is logged by this service itself.
    genReqId: requestIds(),
    rewriteUrl: (request) => withoutSubPath(request.url ?? '/'),
    // Fastify's own answer while closing has another form than all others: closeGracefully gives it.
    return503OnClosing: false,
    // Values are taken as they were sent, or refused: Fastify's defaults would make them fit.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    // What a parameter of an address may be is for its schema to say, once it is known who asks.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    bodyLimit: 4096,
    // So that there is one server only: for `localhost` Fastify would open another, which has none
    // of the limits.
    serverFactory: (listener) => createHttpServer(listener, { keepAliveSeconds, proxies }),
    frameworkErrors: answer,
    clientErrorHandler: answerClientError,
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.decorate('proxies', proxies)

  // Exactly JSON: Fastify would also take text/plain.
  app.removeAllContentTypeParsers()
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request: FastifyRequest, bytes: Buffer, done) => parseJson(request, jsonText(request.raw, bytes), done),
  )
  app.setErrorHandler(answer)
  app.setNotFoundHandler(() => {
    throw new Refusal('not_found')
  })
  return app
}
