import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Documented, refusals } from '../openapi.js'
import { Done, done } from '../schemas.js'

export const livez: FastifyPluginAsyncTypebox = async (app) => {
  const schema = {
    tags: ['operation'],
    operationId: 'livez',
    summary: 'Whether this process answers',
    description: 'Asks no store: restarting this process would not bring a store back.',
    response: { 200: Done('The process answers.'), ...refusals() },
  } satisfies Documented

  app.get('/livez', { schema }, async () => done())
}
