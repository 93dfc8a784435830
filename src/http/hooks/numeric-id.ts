import fp from 'fastify-plugin'

/** The one way in which this service writes an id: no sign, no zero before it, no exponent. */
const WRITTEN = /^[1-9]\d*$/

/**
 * Routes in this scope have an id in their address. It comes as text and becomes the number that their schemas ask for;
 * anything else stays text, and is refused by them.
 */
export const numericId = fp(async (scope) => {
  scope.addHook('preValidation', ({ params }, _reply, done) => {
    const path = params as { id?: string | number }
    if (typeof path.id === 'string' && WRITTEN.test(path.id)) path.id = Number(path.id)
    done()
  })
})
