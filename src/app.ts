import type { JWT } from '@fastify/jwt'
import fastifyRedis from '@fastify/redis'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config/config.js'
import { closeGracefully } from './http/close-gracefully.js'
import { hashingLifecycle } from './http/hashing-lifecycle.js'
import { ignoreBody } from './http/hooks/ignore-body.js'
import { noStore } from './http/hooks/no-store.js'
import { numericId } from './http/hooks/numeric-id.js'
import { oauthEndpoint } from './http/hooks/oauth-endpoint.js'
import { oneHost } from './http/hooks/one-host.js'
import { requireClient } from './http/hooks/require-client.js'
import { requireSession } from './http/hooks/require-session.js'
import { registerJwt } from './http/jwt.js'
import { registerOpenapi } from './http/openapi.js'
import { collectPaths, registerOtherMethods } from './http/other-methods.js'
import { frontPage } from './http/routes/front-page.js'
import { identify } from './http/routes/identify.js'
import { introspect } from './http/routes/introspect.js'
import { jwks } from './http/routes/jwks.js'
import { livez } from './http/routes/livez.js'
import { login } from './http/routes/login.js'
import { logout } from './http/routes/logout.js'
import { password } from './http/routes/password.js'
import { readyz } from './http/routes/readyz.js'
import { revoke } from './http/routes/revoke.js'
import { user } from './http/routes/user.js'
import { userPassword } from './http/routes/user-password.js'
import { userSession } from './http/routes/user-session.js'
import { addUser } from './http/routes/users.js'
import { verify } from './http/routes/verify.js'
import { createServer } from './http/server.js'
import { registerDocs } from './http/swagger-ui.js'
import type { ActionLog } from './logs/action-log.js'
import { createPasswords } from './passwords/passwords.js'
import { createThrottle } from './passwords/throttle.js'
import { createServiceClients } from './service-clients/service-clients.js'
import { createSessions } from './sessions/sessions.js'
import type { Stores } from './stores/stores.js'
import type { KeyRing } from './tokens/keys/key-ring.js'
import { createTokens } from './tokens/tokens.js'
import { createUsers } from './users/users.js'

interface Needs {
  config: Config
  keys: KeyRing
  stores: Pick<Stores, 'accounts' | 'serviceClients' | 'places' | 'registry' | 'counts' | 'redis' | 'probes'>
  actions: Pick<ActionLog, 'record'>
  log: FastifyBaseLogger
}

/**
 * The map of the service: its subjects, then its routes by who may call them. Opens no connection
 * and does not listen.
 */
export async function buildApp(needs: Needs) {
  const { config, stores, log } = needs
  const app = createServer(config, log)
  await app.register(closeGracefully, { shutdownSeconds: config.shutdownSeconds })
  await app.register(oneHost)
  if (stores.redis) await app.register(fastifyRedis, { client: stores.redis })
  if (config.docs) await registerOpenapi(app)
  const paths = collectPaths(app)

  const subjects = createSubjects(needs, await registerJwt(app))
  await app.register(hashingLifecycle, { passwords: subjects.passwords, accounts: stores.accounts })
  await registerRoutes(app, needs, subjects)
  if (config.docs) await registerDocs(app)
  await registerOtherMethods(app, paths)
  return app
}

export type App = Awaited<ReturnType<typeof buildApp>>

/** The subjects of the service. None of them knows HTTP. */
function createSubjects({ config, keys, stores, log }: Needs, jwt: JWT) {
  const { issuer, audience, defaultRegion: region, tokenTtlSeconds, sessionRecovery } = config
  const tokens = createTokens({ jwt, keys, issuer, audience })
  const passwords = createPasswords({ cost: config.bcryptCost, processes: config.processes, log })
  const throttle = createThrottle({ counts: stores.counts, ...config.throttle })
  const protocol = { ttlSeconds: tokenTtlSeconds, recovery: sessionRecovery }
  return {
    passwords,
    throttle,
    sessions: createSessions({ ...stores, tokens, passwords, throttle, ...protocol }),
    serviceClients: createServiceClients(stores),
    users: createUsers({ ...stores, passwords, throttle, region }),
  }
}

/** Registers every route in a scope that is named after its callers. */
async function registerRoutes(
  app: ReturnType<typeof createServer>,
  { config, keys, stores, actions, log }: Needs,
  { sessions, serviceClients, users, throttle }: ReturnType<typeof createSubjects>,
): Promise<void> {
  const { probes } = stores
  const region = config.defaultRegion

  await app.register(async function anyone(scope) {
    await scope.register(noStore)
    await scope.register(login, { sessions, actions, region })
    await scope.register(verify, { sessions })
    await scope.register(jwks, { keys })
    await scope.register(livez)
    await scope.register(readyz, { stores: probes })
    await scope.register(frontPage, { docs: config.docs })
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

  await app.register(async function formerTokenHolders(scope) {
    await scope.register(noStore)
    await scope.register(ignoreBody)
    await scope.register(logout, { sessions, actions })
  })

  await app.register(async function introspectors(scope) {
    await scope.register(noStore)
    await scope.register(requireClient, { serviceClients, permission: 'introspect', throttle, actions })
    await scope.register(oauthEndpoint, { log })
    await scope.register(introspect, { sessions })
  })

  await app.register(async function revokers(scope) {
    await scope.register(noStore)
    await scope.register(requireClient, { serviceClients, permission: 'revoke', throttle, actions })
    await scope.register(oauthEndpoint, { log })
    await scope.register(revoke, { sessions, actions })
  })

  await app.register(async function provisioners(scope) {
    await scope.register(noStore)
    await scope.register(requireClient, { serviceClients, permission: 'users', throttle, actions })
    await scope.register(addUser, { users, actions })
    await scope.register(numericId)
    await scope.register(user, { users, actions })
    await scope.register(userPassword, { users, actions })
    await scope.register(async function byHeadersAlone(inner) {
      await inner.register(ignoreBody)
      await inner.register(userSession, { users, actions })
    })
  })
}
