import { pino } from 'pino'
import { buildApp } from '../app.js'
import { loadConfig } from '../config/config.js'
import { createMemoryAttemptCounts } from '../stores/embedded/attempt-counts.js'
import { createMemorySessionRegistry } from '../stores/embedded/session-registry.js'
import { postgresStores } from '../stores/stores.js'
import { createKeyRing } from '../tokens/keys/key-ring.js'
import { secretKey } from '../tokens/keys/signing-key.js'

/** The OpenAPI document as text, made from the routes. The stores behind them are never called. */
export async function openapiDocument({ yaml }: { yaml: boolean }): Promise<string> {
  const log = pino({ level: 'silent' })
  const config = loadConfig({})
  const key = secretKey('never signs a token: this process only prints')
  const app = await buildApp({
    config,
    keys: createKeyRing([key]),
    stores: {
      ...postgresStores({ url: 'postgres://127.0.0.1:1/none' }, log),
      registry: createMemorySessionRegistry(),
      counts: createMemoryAttemptCounts(),
      redis: undefined,
      probes: { postgres: async () => undefined },
    },
    actions: { record: () => undefined },
    log,
  })
  try {
    await app.ready()
    return yaml ? app.swagger({ yaml: true }) : `${JSON.stringify(app.swagger(), null, 2)}\n`
  } finally {
    await app.close()
  }
}
