import type { Logger } from 'pino'
import type { Config } from '../../config/config.js'
import { followKeyFile } from './key-file.js'
import { createKeyRing } from './key-ring.js'
import type { KeySet } from './key-set.js'
import { secretKey } from './signing-key.js'

/**
 * The ring that the settings ask for. The keys of the file come first: where one of them may sign it does, and a secret
 * beside it still checks, which is the way from the one to the other.
 *
 * @param keySet what the file holds, where there is one: it is read again whenever it changes.
 * @param generatedSecret serves where no secret is set.
 */
export function openKeys(
  { keysFile, jwtSecret, previousSecrets }: Config,
  keySet: KeySet | undefined,
  generatedSecret: string | undefined,
  log: Logger,
) {
  const own = jwtSecret ?? generatedSecret
  const secrets = [
    ...(own === undefined ? [] : [secretKey(own)]),
    ...previousSecrets.filter((secret) => secret !== own).map((secret) => secretKey(secret, false)),
  ]
  const keys = createKeyRing([...(keySet?.keys ?? []), ...secrets])
  if (keysFile !== undefined) return { keys, ...followKeyFile({ path: keysFile, keys, secrets, log }) }
  const readAgain = () => log.info('SIGHUP: JWT_KEYS_FILE is not set, so there is nothing to read again')
  return { keys, readAgain, close: () => {} }
}
