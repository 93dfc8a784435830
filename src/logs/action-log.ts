import { linesLost } from './log.js'
import type { LogStream } from './log-stream.js'
import type { Trouble } from './trouble.js'

/** What can happen, and the message for it. */
const EVENTS = {
  login: 'user logged in',
  login_refused: 'login refused',
  login_throttled: 'login throttled',
  session_superseded: 'session ended by a newer login',
  logout: 'user logged out',
  password_changed: 'password changed',
  password_refused: 'password change refused',
  user_added: 'user added',
  user_enabled: 'user enabled',
  user_disabled: 'user disabled',
  user_unlocked: 'login failures forgotten',
  session_ended: 'session ended by an operator or a sibling service',
  session_revoked: 'session ended by a service client',
  client_added: 'service client added',
  client_removed: 'service client removed',
  client_refused: 'service client refused',
  client_throttled: 'service client throttled',
  lines_lost: 'lines of this log were lost',
} as const

export type Event = keyof typeof EVENTS

/** Where an action came from: a request, or a command. */
export interface Origin {
  url: string | null
  method: string
  ip: string | null
  request_id: string | null
}

export interface Facts {
  user_id?: number | null
  /** The last digits only. */
  mobile?: string
  /** The service client that did it, or to which it was done. */
  client?: string
  /** Why it was refused, in more detail than the caller is told; or why lines were lost. */
  reason?: string
  /** Number of lost lines. */
  count?: number
}

interface TroubleLog {
  error(text: string): void
  warn(text: string): void
}

/** The origin of what the service says about itself. */
const NOBODY: Origin = { url: null, method: 'service', ip: null, request_id: null }

export type ActionLog = ReturnType<typeof createActionLog>

/**
 * One JSON line for everything that changes who may do what (ASVS 16.3.1). It never holds a
 * password, a token or a whole mobile number.
 *
 * @param log is told of lines that cannot be written. Undefined if it writes to the same stream.
 */
export function createActionLog(stream: LogStream, log?: TroubleLog) {
  if (log) stream.listen?.({ failing, mended })
  return { record, close: stream.close }

  function failing({ lost, waiting, reason }: Trouble): void {
    log?.error(`${linesLost(lost, 'the action log')}: ${reason}; ${waiting} more wait`)
  }

  function mended({ lost, reason }: Trouble): void {
    log?.warn(`the action log is written again; ${linesLost(lost, 'it')}: ${reason}`)
    if (lost > 0) record('lines_lost', NOBODY, { reason, count: lost })
  }

  function record(event: Event, origin: Origin, { user_id = null, ...facts }: Facts = {}): void {
    const line = { time: new Date().toISOString(), event, msg: EVENTS[event], user_id, ...origin, ...facts }
    // JSON escapes line breaks: whatever a caller sends, one event is one line.
    stream.write(`${JSON.stringify(line)}\n`)
  }
}
