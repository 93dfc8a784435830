import cluster from 'node:cluster'
import { isatty } from 'node:tty'
import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import { type App, buildApp } from '../app.js'
import { type Config, loadConfig, secretFilesOf } from '../config/config.js'
import { listenEverywhere, NOT_HERE } from '../http/listeners.js'
import { createActionLog } from '../logs/action-log.js'
import { createLog, type LogStream, openLogStream } from '../logs/log.js'
import { OperatorError } from '../refusals/operator-error.js'
import { openStores } from '../stores/stores.js'
import { readKeySet } from '../tokens/keys/key-set.js'
import { openKeys } from '../tokens/keys/open-keys.js'
import { createDemoAccount, DEMO_MOBILE } from './demo-account.js'
import { warnOfExposure } from './exposure.js'
import { obeySupervisor, supervise } from './supervisor.js'
import { tuneV8 } from './v8.js'

/**
 * Runs the service until it is told to stop, in as many processes as the settings ask for.
 *
 * @throws OperatorError with one line that says why it cannot start.
 */
export async function serve(environment: NodeJS.ProcessEnv): Promise<void> {
  const config = loadConfig(environment)
  const output = openLogStream('-')
  const log = createLog(config.logLevel, output)
  const { processes, shutdownSeconds } = config
  if (cluster.isPrimary) warnOfExposure(secretFilesOf(environment, config), config.stores, log)
  if (processes > 1 && cluster.isPrimary) return supervise({ processes, shutdownSeconds, log })

  tuneV8()
  const opened: (() => Promise<unknown>)[] = [output.close]
  const closeAll = async () => {
    for (const close of opened.reverse()) await close()
  }
  // From here on, and not only once it listens: as process 1 of a container nothing else would end it.
  const { close } = closeWithGrace(
    {
      delay: shutdownSeconds * 1000,
      logger: false,
      skip: signalsThatDoNotClose(config),
    },
    async ({ err, signal }) => {
      if (err) log.fatal({ err }, 'unexpected error: closing')
      else log.info(`${signal ?? 'told to stop'}: closing`)
      await closeAll()
      if (signal === 'SIGHUP') endBy(signal)
    },
  )
  let [readKeysAgain, reopenLog] = [() => {}, () => {}]
  const hangUp = () => {
    readKeysAgain()
    reopenLog()
  }
  if (cluster.isWorker) obeySupervisor({ stop: close, hangUp })
  if (!closesWithTerminal(config)) process.on('SIGHUP', hangUp)

  try {
    // Before the stores are waited for: what is wrong with it is said at once.
    const keySet = config.keysFile === undefined ? undefined : readKeySet(config.keysFile)
    const { actions, reopen, close: closeActions } = openActionLog(config.actionLog, output, log)
    reopenLog = reopen
    opened.push(closeActions)
    const stores = await openStores(config.stores, log, { ownSecret: config.jwtSecret === undefined })
    opened.push(stores.close)
    const { keys, readAgain, close: closeKeys } = openKeys(config, keySet, stores.generatedSecret, log)
    opened.push(async () => closeKeys())
    readKeysAgain = readAgain
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

/**
 * Lets the signal do what it does where nobody listens. `process.exit` would reset the terminal,
 * and where that is gone Node.js aborts, and in its abort takes a whole core for ever.
 */
function endBy(signal: 'SIGHUP'): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** On standard output both logs are one stream: a line is never written into another one. */
function openActionLog(to: string, output: LogStream, log: Logger) {
  if (to === '-') return { actions: createActionLog(output), reopen: () => {}, close: async () => {} }
  const stream = openLogStream(to)
  const actions = createActionLog(stream, log)
  return { actions, reopen: stream.reopen, close: actions.close }
}

function signalsThatDoNotClose(config: Config): ('SIGINT' | 'SIGTERM' | 'SIGHUP')[] {
  // Of several processes each listens to its supervisor.
  if (cluster.isWorker) return ['SIGINT', 'SIGTERM', 'SIGHUP']
  return closesWithTerminal(config) ? [] : ['SIGHUP']
}

/**
 * SIGHUP tells a service to read its keys and to open its log again. What somebody tries out in a
 * terminal closes with the terminal; what has none is told by somebody who means it, such as
 * logrotate.
 */
function closesWithTerminal({ stores, keysFile }: Config): boolean {
  return stores.kind === 'embedded' && keysFile === undefined && [0, 1, 2].some((fd) => isatty(fd))
}

/**
 * Connections that may wait to be accepted; the kernel takes its own limit where that is lower. A client that finds the
 * queue full tries again after a second, which is longer than any answer takes.
 */
const BACKLOG = 4096

async function listen(app: App, { host, port }: Config, log: Logger): Promise<void> {
  try {
    const urls = await listenEverywhere(app, { host, port, backlog: BACKLOG })
    log.info(`listening at ${urls.join(' and ')}`)
  } catch (error) {
    throw asListenProblem(error as NodeJS.ErrnoException, host, port)
  }
}

/** Of an address that is not here, and of a name that has none. */
const NO_SUCH_ADDRESS = [...NOT_HERE, 'ENOTFOUND', 'EAI_AGAIN']

function asListenProblem(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new OperatorError(`port ${port} on ${host} is in use by another process: stop it, or set PORT`)
  }
  if (error.code === 'EACCES')
    return new OperatorError(`may not listen on port ${port}: set PORT to 1024 or above`)
  if (NO_SUCH_ADDRESS.includes(error.code ?? '')) {
    return new OperatorError(`HOST: ${host} is not an address of this machine`)
  }
  return error
}

function portOf(app: App): number {
  const address = app.server.address()
  return typeof address === 'object' && address ? address.port : 0
}

/** What a newcomer needs to see, once: that it runs, an account, a line to paste, where to read on, how to stop. */
function welcome({ host, docs }: Config, port: number, demoPassword: string | undefined): void {
  const url = `http://${reachable(host)}:${port}`
  const body = JSON.stringify({ mobile: DEMO_MOBILE, password: demoPassword ?? '<password>' })
  const password =
    demoPassword ??
    `as printed at the first start (new one: npx auth-service user password --mobile ${DEMO_MOBILE})`
  process.stdout.write(`
auth-service is running at ${url}, embedded: PostgreSQL in this process, no Redis needed.

  Demo account   ${DEMO_MOBILE}
  Password       ${password}

  Log in         curl -s ${url}/login -H 'content-type: application/json' -d '${body}'
${docs ? `  Explore        ${url}/docs\n` : ''}  Stop           Ctrl-C

`)
}

/** An address to paste: "every address" is not one, and IPv6 wants brackets. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
