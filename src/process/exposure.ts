import { statSync } from 'node:fs'
import type { StoreConfig } from '../config/config.js'
import { secretFilesOf } from '../config/secret-files.js'
import { ownSecretPath } from '../tokens/keys/own-secret.js'

/** Mode bits of other users: read, write, and search of a directory. */
const BY_OTHERS = 0o007

/**
 * Warns once of each file with a secret that every user of the machine can access, as container
 * secrets are often mounted. Opening the directory of embedded mode closes it to them.
 */
export function warnOfExposure(
  environment: NodeJS.ProcessEnv,
  stores: StoreConfig,
  log: { warn(text: string): void },
): void {
  const databaseUrl = stores.kind === 'servers' ? stores.database.url : undefined
  for (const { setting, path } of secretFilesOf(environment, databaseUrl)) {
    if (isExposed(path)) log.warn(`${setting}: every user of this machine may read ${path}`)
  }
  if (stores.kind !== 'embedded') return
  const { dataDir } = stores
  if (isExposed(ownSecretPath(dataDir))) {
    log.warn(`DATA_DIR: every user of this machine may read ${ownSecretPath(dataDir)}`)
  }
  if (isExposed(dataDir)) {
    log.warn(
      `DATA_DIR: every user of this machine could read ${dataDir} until now; from now on only its owner can`,
    )
  }
}

/** False if the file cannot be examined: the code that reads it will report that. */
function isExposed(path: string): boolean {
  try {
    return (statSync(path).mode & BY_OTHERS) !== 0
  } catch {
    return false
  }
}
