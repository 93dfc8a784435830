import { statSync } from 'node:fs'
import type { StoreConfig } from '../config/config.js'
import { secretFilesOf } from '../config/secret-files.js'
import { ownSecretPath } from '../tokens/keys/own-secret.js'

/**
 * What other users of the machine may do with a file: read it, write it, or look into it where it
 * is a directory.
 */
const BY_OTHERS = 0o007

/**
 * Warns once of each file with a secret that every user of the machine may reach, as container
 * secrets are often mounted. The directory of embedded mode is closed to them when it is opened.
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
      `DATA_DIR: every user of this machine could read ${dataDir} until now, which is its owner's alone from here on`,
    )
  }
}

/** What cannot be looked at is said by whoever needs it. */
function isExposed(path: string): boolean {
  try {
    return (statSync(path).mode & BY_OTHERS) !== 0
  } catch {
    return false
  }
}
