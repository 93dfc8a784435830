import type { FastifyRequest } from 'fastify'
import type { Origin } from '../logs/action-log.js'
import { clientAddress } from './client-address.js'

/** The origin of a request's action. Without the query, which may hold secrets. */
export function originOf(request: Pick<FastifyRequest, 'url' | 'method' | 'server' | 'raw' | 'id'>) {
  return {
    url: request.url.split('?', 1)[0] ?? null,
    method: request.method,
    ip: clientAddress(request),
    request_id: request.id,
  } satisfies Origin
}
