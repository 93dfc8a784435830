/**
 * Preloaded into an instance: SIGWINCH, which the service does not use, does the harm named by
 * HARM. `spin` blocks the event loop for two seconds, `reject` leaves a rejection unhandled,
 * `kill-workers` ends every worker thread.
 */
import { syncBuiltinESMExports } from 'node:module'
import workerThreads from 'node:worker_threads'

const workers = new Set()
const { Worker } = workerThreads
workerThreads.Worker = class extends Worker {
  constructor(...args) {
    super(...args)
    workers.add(this)
    this.once('exit', () => workers.delete(this))
  }
}
syncBuiltinESMExports()

const harms = {
  spin() {
    const end = Date.now() + 2000
    while (Date.now() < end);
  },
  reject() {
    Promise.reject(new Error('injected'))
  },
  'kill-workers'() {
    for (const worker of workers) worker.terminate()
  },
}

process.on('SIGWINCH', harms[process.env.HARM])
