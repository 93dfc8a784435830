import cluster from 'node:cluster'
import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import { type App, buildApp } from '../app.js'
import { loadConfig } from '../config/config.js'
import { createActionLog } from '../logs/action-log.js'
import { createLog } from '../logs/log.js'
import { type LogStream, openLogStream } from '../logs/log-stream.js'
import { openStores } from '../stores/stores.js'
import { openKeys } from '../tokens/keys/open-keys.js'
import { tuneV8 } from '../v8.js'
import { createDemoAccount } from './demo-account.js'
import { warnOfExposure } from './exposure.js'
import { listen } from './listen.js'
import { closesWithTerminal, endBy, onStop, signalsHandledElsewhere } from './signals.js'
import { obeySupervisor, supervise } from './supervisor.js'
import { welcome } from './welcome.js'

/**
 * Runs the service until it is told to stop, in as many processes as configured.
 *
 * @throws OperatorError with one line that says why it cannot start.
 */
export async function serve(environment: NodeJS.ProcessEnv): Promise<void> {
  const config = loadConfig(environment)
  const output = openLogStream('-')
  const log = createLog(config.logLevel, output)
  const { processes, shutdownSeconds } = config
  if (cluster.isPrimary) warnOfExposure(environment, config.stores, log)
  if (processes > 1 && cluster.isPrimary) return supervise({ processes, shutdownSeconds, log })

  tuneV8()
  const opened: (() => Promise<unknown>)[] = [output.close]
  const closeAll = async () => {
    for (const close of opened.reverse()) await close()
  }
  const sayClosing = (reason: string) => log.info(`${reason}: closing`)
  // Before listening: process 1 of a container ignores signals for which it has no handler.
  const { close } = closeWithGrace(
    {
      delay: shutdownSeconds * 1000,
      logger: false,
      skip: signalsHandledElsewhere(config),
    },
    async ({ err, signal }) => {
      if (err) log.fatal({ err }, 'unexpected error: closing')
      if (signal) sayClosing(signal)
      await closeAll()
      if (signal === 'SIGHUP') endBy(signal)
    },
  )
  let [readKeysAgain, reopenLog] = [() => {}, () => {}]
  const hangUp = () => {
    readKeysAgain()
    reopenLog()
  }
  const stop = (reason: string) => {
    sayClosing(reason)
    void close()
  }
  if (cluster.isWorker) obeySupervisor({ stop: () => stop('told to stop'), hangUp })
  else onStop(stop)
  if (!closesWithTerminal(config)) process.on('SIGHUP', hangUp)

  try {
    // Before the stores, so that a bad key is reported at once.
    const { keys, readAgain, close: closeKeys } = await openKeys(config, log)
    opened.push(async () => closeKeys())
    readKeysAgain = readAgain
    const { actions, reopen, close: closeActions } = openActionLog(config.actionLog, output, log)
    reopenLog = reopen
    opened.push(closeActions)
    const stores = await openStores(config.stores, log)
    opened.push(stores.close)
    const app = await buildApp({ config, keys, stores, actions, log })
    opened.push(() => app.close())
    await listen(app, config, log)
    if (config.stores.kind === 'embedded')
      welcome(config, portOf(app), await createDemoAccount(config, stores))
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** On standard output both logs share one stream, so that no line is written into another one. */
function openActionLog(to: string, output: LogStream, log: Logger) {
  if (to === '-') return { actions: createActionLog(output), reopen: () => {}, close: async () => {} }
  const stream = openLogStream(to)
  const actions = createActionLog(stream, log)
  return { actions, reopen: stream.reopen, close: actions.close }
}

function portOf(app: App): number {
  const address = app.server.address()
  return typeof address === 'object' && address ? address.port : 0
}
