import { randomBytes } from 'node:crypto'
import fastifyRedis from '@fastify/redis'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { jsonText } from './body-text.js'
import type { Config } from './config.js'
import { answerClientError, answerError } from './error-answers.js'
import { Refusal } from './errors.js'
import { closeGracefully } from './hooks/close-gracefully.js'
import { ignoreBody } from './hooks/ignore-body.js'
import { noStore } from './hooks/no-store.js'
import { numericId } from './hooks/numeric-id.js'
import { oauthEndpoint } from './hooks/oauth-endpoint.js'
import { oneHost } from './hooks/one-host.js'
import { requireClient } from './hooks/require-client.js'
import { requireSession } from './hooks/require-session.js'
import { createHttpServer, MAX_HEADER_BYTES } from './http-server.js'
import { registerDocs, registerOpenapi } from './openapi.js'
import { identify, withoutSubPath } from './routes/identify.js'
import { identifyShortcut } from './routes/identify-shortcut.js'
import { introspect } from './routes/introspect.js'
import { jwks } from './routes/jwks.js'
import { livez } from './routes/livez.js'
import { login } from './routes/login.js'
import { logout } from './routes/logout.js'
import { password } from './routes/password.js'
import { readyz } from './routes/readyz.js'
import { revoke } from './routes/revoke.js'
import { user } from './routes/user.js'
import { userPassword } from './routes/user-password.js'
import { userSession } from './routes/user-session.js'
import { addUser } from './routes/users.js'
import { verify } from './routes/verify.js'
import type { ActionLog } from './services/action-log.js'
import { createProxies } from './services/client-address.js'
import { createClients } from './services/clients.js'
import type { KeyRing } from './services/key-ring.js'
import { createPasswords } from './services/passwords.js'
import { createSessions } from './services/sessions.js'
import { findStoredCosts } from './services/stored-costs.js'
import { createThrottle } from './services/throttle.js'
import { createTokens } from './services/tokens.js'
import { createUsers } from './services/users.js'
import type { Stores } from './stores/stores.js'

interface Needs {
  config: Config
  keys: KeyRing
  stores: Pick<Stores, 'accounts' | 'serviceClients' | 'places' | 'registry' | 'counts' | 'redis'>
  actions: Pick<ActionLog, 'record'>
  log: FastifyBaseLogger
}

/** The map of the service: what it is made of, then who may call which route. Connects to nothing and listens nowhere. */
export async function buildApp({ config, keys, stores, actions, log }: Needs) {
  const { accounts, serviceClients, places, registry, counts, redis } = stores
  const region = config.defaultRegion

  const app = createServer(config, log)
  await app.register(closeGracefully, { shutdownSeconds: config.shutdownSeconds })
  await app.register(oneHost)
  if (redis) await app.register(fastifyRedis, { client: redis })
  if (config.docs) await registerOpenapi(app)

  const tokens = createTokens({ keys, issuer: config.issuer, audience: config.audience })
  const passwords = createPasswords({ cost: config.bcryptCost, processes: config.processes })
  // Threads take a while to start, on cores that are idle until all else is ready.
  const warmUp = passwords.warmUp()
  warmUp.catch(() => undefined)
  app.addHook('onReady', () => warmUp)
  app.addHook('onClose', passwords.close)
  const closing = new AbortController()
  app.addHook('onListen', async () => {
    findStoredCosts({ accounts, passwords, signal: closing.signal }).catch(() => undefined)
  })
  app.addHook('preClose', async () => closing.abort())
  const throttle = createThrottle({ counts, ...config.throttle })
  const sessions = createSessions({
    accounts,
    places,
    registry,
    tokens,
    passwords,
    throttle,
    ttlSeconds: config.tokenTtlSeconds,
    recovery: config.sessionRecovery,
  })

  const clients = createClients({ serviceClients })
  const users = createUsers({ accounts, registry, passwords, throttle, region })

  await app.register(async function anyone(scope) {
    await scope.register(noStore)
    await scope.register(login, { sessions, actions, region })
    await scope.register(verify, { sessions })
    await scope.register(jwks, { keys })
    await scope.register(livez)
    await scope.register(readyz, {
      stores: { postgres: accounts.ping, ...(redis && { redis: registry.ping }) },
    })
  })

  await app.register(async function tokenHolders(scope) {
    await scope.register(noStore)
    await scope.register(requireSession, { sessions })
    await scope.register(password, { sessions, actions })
    await scope.register(async function byHeadersAlone(inner) {
      await inner.register(ignoreBody)
      await inner.register(identify)
    })
  })
  await app.register(identifyShortcut, { sessions })

  await app.register(async function formerTokenHolders(scope) {
    await scope.register(noStore)
    await scope.register(ignoreBody)
    await scope.register(logout, { sessions, actions })
  })

  await app.register(async function introspectors(scope) {
    await scope.register(noStore)
    await scope.register(requireClient, { clients, permission: 'introspect', throttle, actions })
    await scope.register(oauthEndpoint, { log })
    await scope.register(introspect, { sessions })
  })

  await app.register(async function revokers(scope) {
    await scope.register(noStore)
    await scope.register(requireClient, { clients, permission: 'revoke', throttle, actions })
    await scope.register(oauthEndpoint, { log })
    await scope.register(revoke, { sessions, actions })
  })

  await app.register(async function provisioners(scope) {
    await scope.register(noStore)
    await scope.register(requireClient, { clients, permission: 'users', throttle, actions })
    await scope.register(addUser, { users, actions })
    await scope.register(numericId)
    await scope.register(user, { users, actions })
    await scope.register(userPassword, { users, actions })
    await scope.register(async function byHeadersAlone(inner) {
      await inner.register(ignoreBody)
      await inner.register(userSession, { users, actions })
    })
  })

  if (config.docs) await registerDocs(app)
  return app
}

export type App = Awaited<ReturnType<typeof buildApp>>

/** Ids that no other process gives, and this one only once. A new UUID for each would be half a kilobyte of garbage. */
function requestIds(): () => string {
  const prefix = randomBytes(9).toString('base64url')
  let requests = 0
  return () => `${prefix}-${(++requests).toString(36)}`
}

function createServer({ trustProxy, keepAliveSeconds }: Config, log: FastifyBaseLogger) {
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
