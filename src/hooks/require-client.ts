import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Refusal } from '../errors.js'
import { documentGuard } from '../openapi.js'
import { type ActionLog, originOf } from '../services/action-log.js'
import type { Clients, Permission } from '../services/clients.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The name of the service client whose request this is. Only there behind requireClient. */
    client: string
  }
}

interface Needs {
  clients: Pick<Clients, 'authenticate'>
  permission: Permission
  actions: Pick<ActionLog, 'record'>
}

/**
 * Routes in the scope where this is registered run only for a service client that shows its name and secret (HTTP Basic, RFC
 * 7617) and has this permission, and say so in the OpenAPI document. It is asked before the body is read.
 */
export const requireClient = fp<Needs>(async (scope, { clients, permission, actions }) => {
  scope.decorateRequest('client', '')
  scope.addHook('onRoute', (route) =>
    documentGuard(route, [{ client: [] }], ['invalid_client', 'not_allowed']),
  )
  scope.addHook('onRequest', (request, _reply, done) => {
    authenticate(request).then((name) => {
      request.client = name
      done()
    }, done)
  })

  async function authenticate(request: FastifyRequest): Promise<string> {
    const { name, secret } = presentedCredentials(request)
    try {
      const client = await clients.authenticate(name, secret)
      if (client.permissions.includes(permission)) return client.name
      throw new Refusal('not_allowed', { reason: `${name} lacks the permission ${permission}` })
    } catch (error) {
      if (error instanceof Refusal && error.reason && error.status < 500)
        actions.record('client_refused', originOf(request), { reason: error.reason })
      throw error
    }
  }
})

const CREDENTIALS = /^basic +([a-z0-9+/]+={0,2}) *$/i

/**
 * The name and the secret of a request's Authorization header. Both are percent-encoded inside it (RFC 6749 §2.3.1), which
 * changes neither of ours but for libraries that encode more than they must.
 *
 * @throws Refusal `invalid_client`
 */
function presentedCredentials({ raw: { headers } }: FastifyRequest): { name: string; secret: string } {
  const encoded = CREDENTIALS.exec(headers.authorization ?? '')?.[1]
  const [, name, secret] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString()) ?? []
  if (name === undefined || secret === undefined) throw new Refusal('invalid_client')
  try {
    return { name: decodeURIComponent(name), secret: decodeURIComponent(secret) }
  } catch {
    throw new Refusal('invalid_client')
  }
}
