import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { REFUSALS, Unavailable } from '../errors.js'
import { type Documented, refusals } from '../openapi.js'
import { closed, Ok, OneOf, ok } from '../schemas.js'

/** Asks one store whether it answers. Rejects with Unavailable when it does not. */
export type Ping = () => Promise<void>

interface Needs {
  stores: { postgres: Ping; redis: Ping }
}

const StoreState = OneOf(['up', 'away'])
const Stores = closed({ postgres: StoreState, redis: StoreState })
const { status: code, msg } = REFUSALS.temporarily_unavailable

export const readyz: FastifyPluginAsyncTypebox<Needs> = async (app, { stores }) => {
  const schema = {
    tags: ['operation'],
    operationId: 'readyz',
    summary: 'Whether this process can serve: both stores answer',
    response: {
      ...refusals(),
      200: Ok(Stores, 'Both stores answer.'),
      503: Type.Object(
        {
          code: Type.Literal(code),
          error: OneOf(['temporarily_unavailable']),
          msg: Type.String({ examples: [msg] }),
          data: Stores,
        },
        { description: 'A store is away; `data` names it.' },
      ),
    },
  } satisfies Documented

  app.get('/readyz', { schema }, async (_request, reply) => {
    const [postgres, redis] = await Promise.all([stateOf(stores.postgres), stateOf(stores.redis)])
    if (postgres === 'up' && redis === 'up') return ok({ postgres, redis })
    const unavailable = new Unavailable('not ready')
    return reply
      .code(code)
      .headers(unavailable.headers)
      .send({ code, error: 'temporarily_unavailable' as const, msg, data: { postgres, redis } })
  })
}

async function stateOf(ping: Ping): Promise<'up' | 'away'> {
  try {
    await ping()
    return 'up'
  } catch (error) {
    if (error instanceof Unavailable) return 'away'
    throw error
  }
}
