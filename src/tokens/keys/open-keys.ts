import type { Logger } from 'pino'
import type { Config } from '../../config/config.js'
import { followKeyFile } from './key-file.js'
import { createKeyRing } from './key-ring.js'
import { readKeySet } from './key-set.js'
import { ownSecret } from './own-secret.js'
import { secretKey } from './signing-key.js'

/**
 * The key ring of the configuration. The keys of the file come first: if one of them may sign, it
 * does. A secret beside them still verifies, so that a service can move from the secret to the
 * file. Embedded mode makes a secret if none is set.
 *
 * @throws OperatorError when a key or a secret file is malformed, or no key may sign.
 */
export async function openKeys({ keysFile, jwtSecret, previousSecrets, stores }: Config, log: Logger) {
  const keySet = keysFile === undefined ? undefined : readKeySet(keysFile)
  const own = jwtSecret ?? (stores.kind === 'embedded' ? await ownSecret(stores.dataDir) : undefined)
  const secrets = [
    ...(own === undefined ? [] : [secretKey(own)]),
    ...previousSecrets.filter((secret) => secret !== own).map((secret) => secretKey(secret, false)),
  ]
  const keys = createKeyRing([...(keySet?.keys ?? []), ...secrets])
  if (keysFile !== undefined) return { keys, ...followKeyFile({ path: keysFile, keys, secrets, log }) }
  const readAgain = () => log.info('SIGHUP: JWT_KEYS_FILE is not set, so there is nothing to read again')
  return { keys, readAgain, close: () => {} }
}
