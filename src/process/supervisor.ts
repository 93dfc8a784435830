import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'

/** How often a process says that its event loop still turns, in milliseconds. */
const BEAT_MS = 1000

/** Silent for so long, in milliseconds, a process is taken for stuck and replaced. No request is meant to take a tenth of it. */
const SILENT_LIMIT_MS = 5000

/** Pause before a process that ended is replaced, in milliseconds: one that ends at once must not keep a core busy. */
const REPLACE_AFTER_MS = 500

/** What a process says to the supervisor. */
const ALIVE = 'alive'

/** What the supervisor says to a process. Not as a signal, which would end a process that does not listen yet. */
const HANG_UP = 'hang up'

interface Needs {
  processes: number
  shutdownSeconds: number
  log: Logger
}

/**
 * Runs this program in several processes that share its port: replaces one that ends or is stuck, and closes them all
 * when it is told to stop; SIGHUP is passed on. The first one starts alone, so that what keeps the service from starting
 * is said once.
 */
export async function supervise({ processes, shutdownSeconds, log }: Needs): Promise<void> {
  const heard = new Map<Worker, number>()
  let closing = false

  process.on('SIGHUP', () => {
    for (const worker of heard.keys()) if (worker.isConnected()) worker.send(HANG_UP)
  })
  const delay = (shutdownSeconds + 1) * 1000
  closeWithGrace({ delay, logger: false, skip: ['SIGHUP'] }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'unexpected error: closing')
    else log.info(`${signal}: closing ${heard.size} processes`)
    closing = true
    await Promise.all([...heard.keys()].map(close))
  })

  const first = start()
  await Promise.race([once(first, 'listening'), once(first, 'exit')])
  if (closing) return
  // It has said why.
  if (first.isDead()) process.exit(first.process.exitCode ?? 1)
  cluster.on('exit', replace)
  for (let count = 1; count < processes; count++) start()
  setInterval(replaceSilent, BEAT_MS).unref()

  function start(): Worker {
    const worker = cluster.fork()
    // However long it takes to start: it can be stuck only once it was heard.
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

async function close(worker: Worker): Promise<void> {
  const ended = once(worker, 'exit')
  worker.process.kill('SIGTERM')
  const [code] = await ended
  // No code: it was still too young to hear the signal otherwise than by ending.
  if (code) throw new Error(`a process ended with ${code}`)
}

/** In one of several processes: does what the supervisor says, and lets it know that this process is alive. */
export function obeySupervisor({ stop, hangUp }: { stop: () => void; hangUp: () => void }): void {
  let stopping = false
  process.on('SIGTERM', () => {
    // A group that is signalled as a whole is told twice: by the sender and by the supervisor.
    if (!stopping) stop()
    stopping = true
  })
  process.on('message', (message) => {
    if (message === HANG_UP) hangUp()
  })
  // Ctrl-C reaches the supervisor, too, which then says what to do.
  process.on('SIGINT', () => undefined)
  setInterval(() => process.send?.(ALIVE), BEAT_MS).unref()
}
