import { type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogStream } from './log-stream.js'

/** The service's own log: JSON lines on a stream. */
export function createLog(level: string, stream: LogStream): Logger {
  const log = pino({ level, timestamp: stdTimeFunctions.isoTime }, stream)
  stream.listen?.({
    failing: () => undefined,
    mended: ({ lost, reason }) => {
      if (lost > 0) log.error(`${linesLost(lost, 'this log')}: ${reason}`)
    },
  })
  return log
}

/** "1 line of this log was lost", "2 lines of this log were lost". */
export function linesLost(count: number, log: string): string {
  return count === 1 ? `1 line of ${log} was lost` : `${count} lines of ${log} were lost`
}
