import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { networkOf } from '../../addresses/network.js'
import type { ActionLog } from '../../logs/action-log.js'
import type { Throttle } from '../../passwords/throttle.js'
import { Refusal } from '../../refusals/refusal.js'
import type {
  Credentials,
  Permission,
  ServiceClient,
  ServiceClients,
} from '../../service-clients/service-clients.js'
import { textOf } from '../../text/utf8.js'
import { documentGuard } from '../openapi.js'
import { originOf } from '../origin.js'
import { recordRefusal } from '../refused-action.js'
import { isRepeated } from '../repeated-header.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The name of the authenticated service client. Set only behind requireClient. */
    serviceClient: string
  }
}

interface Needs {
  serviceClients: Pick<ServiceClients, 'recall' | 'authenticate'>
  permission: Permission
  throttle: Pick<Throttle, 'countWrongClient'>
  actions: Pick<ActionLog, 'record'>
}

const EVENTS = { refused: 'client_refused', throttled: 'client_throttled' } as const

/**
 * Routes in this scope run only for a service client that authenticates with its name and secret
 * (HTTP Basic, RFC 7617) and has the permission. Checks that before the body is read, and documents
 * it in the OpenAPI document.
 */
export const requireClient = fp<Needs>(async (scope, { serviceClients, permission, throttle, actions }) => {
  scope.decorateRequest('serviceClient', '')
  scope.addHook('onRoute', (route) =>
    documentGuard(route, [{ client: [] }], ['invalid_client', 'not_allowed', 'too_many_attempts']),
  )
  scope.addHook('onRequest', (request, _reply, done) => {
    // Stay synchronous when the credentials are recalled: awaiting makes Node buffer the body.
    const recalled = serviceClients.recall(authorizationOf(request))
    if (recalled?.permissions.includes(permission)) {
      request.serviceClient = recalled.name
      return done()
    }
    authenticate(request).then((name) => {
      request.serviceClient = name
      done()
    }, done)
  })

  async function authenticate(request: FastifyRequest): Promise<string> {
    const origin = originOf(request)
    try {
      const authorization = authorizationOf(request)
      if (authorization === '') throw new Refusal('invalid_client', { reason: 'no credentials' })
      const client = await authenticated(authorization, networkOf(origin.ip))
      if (client.permissions.includes(permission)) return client.name
      throw new Refusal('not_allowed', { reason: `${client.name} lacks the permission ${permission}` })
    } catch (error) {
      recordRefusal(actions, EVENTS, error, origin)
      throw error
    }
  }

  async function authenticated(authorization: string, network: string): Promise<ServiceClient> {
    try {
      return await serviceClients.authenticate(presentedCredentials(authorization), authorization)
    } catch (error) {
      if (error instanceof Refusal && error.slug === 'invalid_client')
        await throttle.countWrongClient(network)
      throw error
    }
  }
})

/** Empty if the header is missing or repeated: neither identifies a service client. */
function authorizationOf({ raw: { headers, rawHeaders } }: FastifyRequest): string {
  return isRepeated(rawHeaders, 'authorization') ? '' : (headers.authorization ?? '')
}

/** The header of HTTP Basic (RFC 7617). */
const BASIC = /^basic +([a-z0-9+/]+={0,2}) *$/i

/** Name and secret, still percent-encoded. */
const CREDENTIALS = /^([^:]*):(.*)$/s

/**
 * The name and the secret of a service client from an Authorization header, in UTF-8. OAuth
 * libraries percent-encode both (RFC 6749 §2.3.1). Names and secrets of this service need no
 * encoding, but some libraries encode more than they must.
 *
 * @throws Refusal `invalid_client`
 */
function presentedCredentials(authorization: string): Credentials {
  const encoded = BASIC.exec(authorization)?.[1]
  const [, name, secret] = CREDENTIALS.exec(textOf(Buffer.from(encoded ?? '', 'base64')) ?? '') ?? []
  if (name === undefined || secret === undefined) throw malformed()
  try {
    return { name: decodeURIComponent(name), secret: decodeURIComponent(secret) }
  } catch {
    throw malformed()
  }
}

function malformed(): Refusal {
  return new Refusal('invalid_client', { reason: 'malformed credentials' })
}
