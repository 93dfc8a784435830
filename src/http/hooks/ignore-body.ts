import fp from 'fastify-plugin'

/**
 * Routes in this scope answer by the headers alone. A proxy's auth sub-request may carry the body, or only the
 * body's headers, of a request that is none of this service's business: of any type, any size, or malformed.
 */
export const ignoreBody = fp(async (scope) => {
  scope.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    // Without these headers Fastify sees a request without body, and Node discards what arrives after the answer. Only
    // where they are: an object that has lost a member is slow from then on. Each by its name: to look up names that vary is slow.
    if (headers['content-type'] !== undefined) delete headers['content-type']
    if (headers['content-length'] !== undefined) delete headers['content-length']
    if (headers['transfer-encoding'] !== undefined) delete headers['transfer-encoding']
    done()
  })
})
