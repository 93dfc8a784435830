import assert from 'node:assert'
import type { Test } from 'tap'
import type { PrivateJwk } from '../../src/tokens/keys/private-jwk.js'
import { type Answer, type Backends, build, type Service, silent } from '../helper.js'
import { PATIENCE, patiently } from './patience.js'
import { until } from './servers.js'
import { publishedBy } from './signing-keys.js'

/** An instance with these settings that closes soon: only connections of the test are open then. */
export function startKeyed(
  t: Test,
  backends: Backends,
  env: NodeJS.ProcessEnv = {},
  log = silent(),
): Promise<Service> {
  return build(t, { backends, log, env: { SHUTDOWN_SECONDS: '1', ...env } })
}

export function identify(service: Service, token: string): Promise<Answer> {
  return patiently(() => service.identify(token))
}

/** Waits until exactly these keys are published, in this order. */
export async function publishes({ url }: Service, ...keys: PrivateJwk[]): Promise<void> {
  const kids = keys.map(({ kid }) => kid)
  await until(async () => assert.deepEqual(await publishedBy(url), kids), PATIENCE)
}
