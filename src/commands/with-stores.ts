import { userInfo } from 'node:os'
import { pino } from 'pino'
import { type Config, loadConfig } from '../config/config.js'
import { type ActionLog, createActionLog, type Origin } from '../logs/action-log.js'
import { openLogStream } from '../logs/log-stream.js'
import { openStores, type Stores } from '../stores/stores.js'

interface Context {
  config: Config
  stores: Stores
  actions: Pick<ActionLog, 'record'>
}

/** Runs one command on the stores that the environment names, and closes them even if it fails. */
export async function withStores(run: (context: Context) => Promise<void>): Promise<void> {
  const config = loadConfig(process.env, { signs: false })
  // Standard output is for the result, which scripts read.
  const log = pino({ level: 'warn' }, pino.destination(process.stderr.fd))
  const actions = createActionLog(
    openLogStream(config.actionLog === '-' ? process.stderr.fd : config.actionLog),
    log,
  )
  const stores = await openStores(config.stores, log, { beside: true })
  try {
    await run({ config, stores, actions })
  } finally {
    await Promise.all([stores.close(), actions.close()])
  }
}

/** The origin of a command in the action log. */
export function originHere(): Origin {
  return { url: null, method: `cli by ${userInfo().username}`, ip: null, request_id: null }
}
