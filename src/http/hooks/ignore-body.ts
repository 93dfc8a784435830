import fp from 'fastify-plugin'

/**
 * Routes in this scope never read a body. A proxy's auth sub-request may carry the body of the
 * original request, or only its headers: of any type, of any size, or malformed.
 */
export const ignoreBody = fp(async (scope) => {
  scope.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    // Without these headers Fastify sees no body, and Node discards what arrives after the answer.
    // `delete` turns headers into a dictionary-mode object: only when present.
    if (headers['content-type'] !== undefined) delete headers['content-type']
    if (headers['content-length'] !== undefined) delete headers['content-length']
    if (headers['transfer-encoding'] !== undefined) delete headers['transfer-encoding']
    done()
  })
})
