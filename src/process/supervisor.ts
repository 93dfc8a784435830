import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import { onStop, STOPS } from './signals.js'

/** How often a worker reports that its event loop turns, in milliseconds. */
const BEAT_MS = 1000

/**
 * A worker that is silent for this long, in milliseconds, is taken for stuck and replaced. No
 * request is meant to take a tenth of it.
 */
const SILENT_LIMIT_MS = 5000

/**
 * Pause before a worker that ended is replaced, in milliseconds. One that ends at once must not
 * keep a core busy.
 */
const REPLACE_AFTER_MS = 500

/** What a worker tells the supervisor. */
const ALIVE = 'alive'

/** What the supervisor tells a worker. SIGHUP itself would end a worker that has no handler yet. */
const HANG_UP = 'hang up'

interface Needs {
  processes: number
  shutdownSeconds: number
  log: Logger
}

/**
 * Runs this program in several workers that share its port. Replaces a worker that ends or is
 * stuck, passes SIGHUP on, and closes all workers when it is told to stop. The first worker starts
 * alone, so that an error that keeps the service from starting is reported once.
 */
export async function supervise({ processes, shutdownSeconds, log }: Needs): Promise<void> {
  const heard = new Map<Worker, number>()
  let closing = false

  process.on('SIGHUP', () => {
    for (const worker of heard.keys()) if (worker.isConnected()) worker.send(HANG_UP)
  })
  const sayClosing = (reason: string) => log.info(`${reason}: closing ${heard.size} processes`)
  const delay = (shutdownSeconds + 1) * 1000
  const { close } = closeWithGrace(
    { delay, logger: false, skip: [...STOPS, 'SIGHUP'] },
    async ({ err, signal }) => {
      if (err) log.fatal({ err }, 'unexpected error: closing')
      if (signal) sayClosing(signal)
      closing = true
      await Promise.all([...heard.keys()].map(end))
    },
  )
  onStop((signal) => {
    sayClosing(signal)
    void close()
  })

  const first = start()
  await Promise.race([once(first, 'listening'), once(first, 'exit')])
  if (closing) return
  // The worker has reported why.
  if (first.isDead()) process.exit(first.process.exitCode ?? 1)
  cluster.on('exit', replace)
  for (let count = 1; count < processes; count++) start()
  setInterval(replaceSilent, BEAT_MS).unref()

  function start(): Worker {
    const worker = cluster.fork()
    // A worker that is still starting is never taken for stuck.
    heard.set(worker, Number.POSITIVE_INFINITY)
    const hear = () => heard.set(worker, performance.now())
    worker.on('message', (message) => {
      if (message === ALIVE) hear()
    })
    worker.once('listening', () => {
      hear()
      log.info(`process ${worker.process.pid} listens`)
    })
    worker.once('exit', () => heard.delete(worker))
    return worker
  }

  async function replace({ process: { pid } }: Worker, code: number | null, signal: string | null) {
    if (closing) return
    log.error(`process ${pid} ended with ${signal ?? code}: starting another`)
    await sleep(REPLACE_AFTER_MS)
    if (!closing) start()
  }

  function replaceSilent(): void {
    for (const [worker, at] of heard) {
      if (performance.now() - at < SILENT_LIMIT_MS) continue
      log.error(`process ${worker.process.pid} has been stuck for ${SILENT_LIMIT_MS / 1000} s: ending it`)
      worker.process.kill('SIGKILL')
    }
  }
}

async function end(worker: Worker): Promise<void> {
  const ended = once(worker, 'exit')
  worker.process.kill('SIGTERM')
  const [code] = await ended
  // Without a code, SIGTERM ended a worker that had no handler yet.
  if (code) throw new Error(`a process ended with ${code}`)
}

/** In a worker: does what the supervisor says, and reports that this process is alive. */
export function obeySupervisor({ stop, hangUp }: { stop: () => void; hangUp: () => void }): void {
  let stopping = false
  process.on('SIGTERM', () => {
    // A signal to the process group arrives twice: from the sender and from the supervisor.
    if (!stopping) stop()
    stopping = true
  })
  process.on('message', (message) => {
    if (message === HANG_UP) hangUp()
  })
  // Ctrl-C also reaches the supervisor, which tells the workers what to do.
  process.on('SIGINT', () => undefined)
  setInterval(() => process.send?.(ALIVE), BEAT_MS).unref()
}
