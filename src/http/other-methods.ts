import type { FastifyInstance, HTTPMethods, RouteOptions } from 'fastify'
import { Refusal } from '../refusals/refusal.js'
import { ignoreBody } from './hooks/ignore-body.js'

/** Collects the path of every route that is registered from now on. */
export function collectPaths(app: FastifyInstance): Set<string> {
  const paths = new Set<string>()
  app.addHook('onRoute', ({ url }: RouteOptions) => void paths.add(url))
  return paths
}

/**
 * Answers 405 with Allow (RFC 9110 §15.5.6) for the other methods of known paths. As routes of
 * their own: a check in a hook would cost every request. Register after all other routes.
 *
 * @param paths what {@link collectPaths} has collected.
 */
export async function registerOtherMethods(app: FastifyInstance, paths: Set<string>): Promise<void> {
  // /identify answers every method on purpose, and TRACE as an unknown path.
  const routes = [...paths].filter((url) => url !== '/identify').map((url) => ({ url, ...methodsOf(url) }))
  await app.register(async function nobody(scope) {
    await scope.register(ignoreBody)
    for (const { url, known, others } of routes) {
      scope.route({
        method: others,
        url,
        schema: { hide: true },
        handler: (_request, reply) => {
          reply.header('allow', known.join(', '))
          throw new Refusal('method_not_allowed')
        },
      })
    }
  })

  function methodsOf(url: string) {
    const isKnown = (method: string) => app.hasRoute({ method: method as HTTPMethods, url })
    const methods = app.supportedMethods.toSorted()
    return { known: methods.filter(isKnown), others: methods.filter((method) => !isKnown(method)) }
  }
}
