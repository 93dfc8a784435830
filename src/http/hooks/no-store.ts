import fp from 'fastify-plugin'

/** Forbids caching: an answer about a token or a session is true only now (RFC 6750 §5.3). */
export const noStore = fp(async (scope) => {
  scope.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
})
