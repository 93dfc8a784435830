import cluster from 'node:cluster'
import { isatty } from 'node:tty'
import type { Config } from '../config/config.js'

/**
 * Ends this process by the default action of the signal. `process.exit` would reset the terminal.
 * If that is gone, Node.js aborts, and its abort never ends and takes a whole core.
 */
export function endBy(signal: 'SIGHUP'): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

/** Signals that do something other than close the service. */
export function signalsThatDoNotClose(config: Config): ('SIGINT' | 'SIGTERM' | 'SIGHUP')[] {
  // A worker listens to its supervisor instead.
  if (cluster.isWorker) return ['SIGINT', 'SIGTERM', 'SIGHUP']
  return closesWithTerminal(config) ? [] : ['SIGHUP']
}

/**
 * Whether SIGHUP ends the service because its terminal was closed: that is so for a trial in a
 * terminal. Otherwise SIGHUP makes it read its keys and open its log again, as logrotate asks for.
 */
export function closesWithTerminal({ stores, keysFile }: Config): boolean {
  return stores.kind === 'embedded' && keysFile === undefined && [0, 1, 2].some((fd) => isatty(fd))
}
