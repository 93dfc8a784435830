import fp from 'fastify-plugin'

/**
 * Routes in this scope answer by the headers alone. A proxy's auth sub-request may carry the body, or only the
 * body's headers, of a request that is none of this service's business: of any type, any size, or malformed.
 */
export const ignoreBody = fp(async (scope) => {
  scope.addHook('onRequest', async ({ raw }) => {
    // Without these headers Fastify sees a request without body, and Node discards what arrives after the answer.
    delete raw.headers['content-type']
    delete raw.headers['content-length']
    delete raw.headers['transfer-encoding']
  })
})
