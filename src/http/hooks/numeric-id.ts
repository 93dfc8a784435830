import fp from 'fastify-plugin'

/** The canonical spelling of an id: no sign, no leading zero, no exponent. */
const WRITTEN = /^[1-9]\d*$/

/**
 * Turns the path parameter `id` into the number that the schemas of this scope require. Any other
 * text stays text, and the schema refuses it.
 */
export const numericId = fp(async (scope) => {
  scope.addHook('preValidation', ({ params }, _reply, done) => {
    const path = params as { id?: string | number }
    if (typeof path.id === 'string' && WRITTEN.test(path.id)) path.id = Number(path.id)
    done()
  })
})
