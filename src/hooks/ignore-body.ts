import fp from 'fastify-plugin'

const ABOUT_A_BODY = ['content-type', 'content-length', 'transfer-encoding']

/**
 * Routes in this scope answer by the headers alone. A proxy's auth sub-request may carry the body, or only the
 * body's headers, of a request that is none of this service's business: of any type, any size, or malformed.
 */
export const ignoreBody = fp(async (scope) => {
  scope.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    // Without these headers Fastify sees a request without body, and Node discards what arrives after the answer. Only
    // where they are: an object that has lost a member is slow from then on.
    for (const name of ABOUT_A_BODY) if (headers[name] !== undefined) delete headers[name]
    done()
  })
})
