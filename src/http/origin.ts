import type { FastifyRequest } from 'fastify'
import type { Origin } from '../logs/action-log.js'
import { clientAddress } from './client-address.js'

/** The origin of an action that came as a request. The path only: a query string could hold anything. */
export function originOf(request: Pick<FastifyRequest, 'url' | 'method' | 'server' | 'raw' | 'id'>) {
  return {
    url: request.url.split('?', 1)[0] ?? null,
    method: request.method,
    ip: clientAddress(request),
    request_id: request.id,
  } satisfies Origin
}
