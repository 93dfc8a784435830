import { userInfo } from 'node:os'
import { type Config, loadConfig } from '../config/config.js'
import { type ActionLog, createActionLog, type Origin } from '../logs/action-log.js'
import { openLogStream } from '../logs/log-stream.js'
import { openStores, type Stores } from '../stores/stores.js'

interface Context {
  config: Config
  stores: Stores
  actions: Pick<ActionLog, 'record'>
}

/** How long a command waits for a store, in milliseconds: somebody sits in front of it. */
const PATIENCE_MS = 5000

/** Runs one command on the stores that the environment names, and closes them even if it fails. */
export async function withStores(run: (context: Context) => Promise<void>): Promise<void> {
  const config = loadConfig(process.env, { signs: false })
  // Standard output is for the result, which scripts read.
  const tell = (text: string) => process.stderr.write(`auth-service: ${text}\n`)
  const log = { info: () => undefined, warn: tell, error: tell }
  const actions = createActionLog(
    openLogStream(config.actionLog === '-' ? process.stderr.fd : config.actionLog),
    log,
  )
  const stores = await openStores(config.stores, log, { isCommand: true, waitMs: PATIENCE_MS })
  try {
    await run({ config, stores, actions })
  } finally {
    await Promise.all([stores.close(), actions.close()])
  }
}

/** The origin of a command in the action log. */
export function originHere(): Origin {
  return { url: null, method: `cli by ${nameOfUser()}`, ip: null, request_id: null }
}

/** Platforms that choose a user id give it no name, and Node.js then throws. */
function nameOfUser(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.()}`
  }
}
