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
    /** The name of the service client whose request this is. Only there behind requireClient. */
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
 * Routes in the scope where this is registered run only for a service client that shows its name and secret (HTTP Basic, RFC
 * 7617) and has this permission, and say so in the OpenAPI document. It is asked before the body is read.
 */
export const requireClient = fp<Needs>(async (scope, { serviceClients, permission, throttle, actions }) => {
  scope.decorateRequest('serviceClient', '')
  scope.addHook('onRoute', (route) =>
    documentGuard(route, [{ client: [] }], ['invalid_client', 'not_allowed', 'too_many_attempts']),
  )
  scope.addHook('onRequest', (request, _reply, done) => {
    // At once where it can be: a body that arrives while its route is waited for has to be kept, and costs twice as much.
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

/** Empty where there is none, or more than one: neither shows a client. */
function authorizationOf({ raw: { headers, rawHeaders } }: FastifyRequest): string {
  return isRepeated(rawHeaders, 'authorization') ? '' : (headers.authorization ?? '')
}

/** The header of HTTP Basic (RFC 7617). */
const BASIC = /^basic +([a-z0-9+/]+={0,2}) *$/i

/** Name and secret, as they stand in it. */
const CREDENTIALS = /^([^:]*):(.*)$/s

/**
 * The name and the secret of a service client, out of an Authorization header, in UTF-8. Both are
 * percent-encoded inside it (RFC 6749 §2.3.1), which changes neither of ours but for libraries that
 * encode more than they must.
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
