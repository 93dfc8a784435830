import fp from 'fastify-plugin'

/** What is said of a token or a session is true at that moment only (RFC 6750 §5.3): nobody may keep it. */
export const noStore = fp(async (scope) => {
  scope.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
})
