import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { MESSAGES } from '../../refusals/messages.js'
import { Refusal, Unavailable } from '../../refusals/refusal.js'
import { type Documented, refusals } from '../openapi.js'
import { STATUS_OF } from '../refusal-answer.js'
import { closed, Ok, OneOf, ok } from '../schemas.js'

/** Has one store do for nobody what the service does. Rejects with Unavailable if it does not. */
type Probe = () => Promise<void>

interface Needs {
  /** Embedded mode has no Redis. */
  stores: { postgres: Probe; redis?: Probe }
}

const StoreState = OneOf(['up', 'away'])
const Stores = closed(
  {
    postgres: StoreState,
    redis: Type.Optional({ ...StoreState, description: 'Absent in embedded mode, which has no Redis.' }),
  },
  { title: 'Stores', description: 'The state of each store.' },
)

export const readyz: FastifyPluginAsyncTypebox<Needs> = async (app, { stores }) => {
  const unavailable = refusals()[STATUS_OF.temporarily_unavailable]
  const schema = {
    tags: ['operation'],
    operationId: 'readyz',
    summary: 'Whether this process can serve: its stores do what it asks of them',
    description: 'Asks each store. An orchestrator sends requests elsewhere while the answer is 503.',
    response: {
      ...refusals(),
      200: Ok(Stores, 'The stores do what is asked of them.'),
      503: Type.Object(
        {
          code: Type.Literal(STATUS_OF.temporarily_unavailable),
          error: OneOf(['temporarily_unavailable']),
          msg: Type.String({ examples: [MESSAGES.temporarily_unavailable.en] }),
          data: Type.Optional(Stores),
        },
        {
          title: 'NotReady',
          description: 'A store is away, and `data` names it. Without `data`: this process is closing.',
          headers: unavailable?.headers,
        },
      ),
    },
  } satisfies Documented

  app.get('/readyz', { schema }, async () => {
    const [postgres, redis] = await Promise.all([
      stateOf(stores.postgres),
      stores.redis && stateOf(stores.redis),
    ])
    const states = { postgres, ...(redis && { redis }) }
    if (Object.values(states).every((state) => state === 'up')) return ok(states)
    throw new Refusal('temporarily_unavailable', { retryAfter: 1, data: states })
  })
}

async function stateOf(probe: Probe): Promise<'up' | 'away'> {
  try {
    await probe()
    return 'up'
  } catch (error) {
    if (error instanceof Unavailable) return 'away'
    throw error
  }
}
