import type { FastifyRequest } from 'fastify'

/** The address that a request came from, as limits and logs know it. */
export function clientAddress({ ip }: Pick<FastifyRequest, 'ip'>): string {
  return ip
}

/** What one subscriber is usually given, and so what is counted as one: limits and shares are per network. */
export function networkOf(address: string): string {
  return address
}
