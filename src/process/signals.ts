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

/**
 * A signal that follows the first one within this time, in milliseconds, is the same one: a
 * terminal sends SIGINT to npm and to this process, and npm passes it on. So does systemd with
 * SIGTERM.
 */
const SAME_SIGNAL_MS = 1000

/** The signals that {@link onStop} handles. */
export const STOPS = ['SIGINT', 'SIGTERM'] as const

/** Signals that onStop or a supervisor handles, or that do not close the service. */
export function signalsHandledElsewhere(config: Config): ('SIGINT' | 'SIGTERM' | 'SIGHUP')[] {
  return cluster.isWorker || !closesWithTerminal(config) ? [...STOPS, 'SIGHUP'] : [...STOPS]
}

/** Calls `stop` at the first SIGINT or SIGTERM. A later one ends the process at once. */
export function onStop(stop: (signal: NodeJS.Signals) => void): void {
  let first: number | undefined
  for (const signal of STOPS) {
    process.on(signal, () => {
      if (first === undefined) {
        first = performance.now()
        stop(signal)
      } else if (performance.now() - first > SAME_SIGNAL_MS) process.exit(1)
    })
  }
}

/**
 * Whether SIGHUP ends the service because its terminal was closed: that is so for a trial in a
 * terminal. Otherwise SIGHUP makes it read its keys and open its log again, as logrotate asks for.
 */
export function closesWithTerminal({ stores, keysFile }: Config): boolean {
  return stores.kind === 'embedded' && keysFile === undefined && [0, 1, 2].some((fd) => isatty(fd))
}
