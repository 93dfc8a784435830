import cluster from 'node:cluster'
import { isatty } from 'node:tty'
import type { Config } from '../config/config.js'

/**
 * Lets the signal do what it does where nobody listens. `process.exit` would reset the terminal,
 * and where that is gone Node.js aborts, and in its abort takes a whole core for ever.
 */
export function endBy(signal: 'SIGHUP'): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** Signals that do something else than to end the service. */
export function signalsThatDoNotClose(config: Config): ('SIGINT' | 'SIGTERM' | 'SIGHUP')[] {
  // Of several processes each listens to its supervisor.
  if (cluster.isWorker) return ['SIGINT', 'SIGTERM', 'SIGHUP']
  return closesWithTerminal(config) ? [] : ['SIGHUP']
}

/**
 * SIGHUP tells a service to read its keys and to open its log again. What somebody tries out in a
 * terminal closes with the terminal; what has none is told by somebody who means it, such as
 * logrotate.
 */
export function closesWithTerminal({ stores, keysFile }: Config): boolean {
  return stores.kind === 'embedded' && keysFile === undefined && [0, 1, 2].some((fd) => isatty(fd))
}
