import { rememberAccepted } from './accepted-tokens.js'
import { connectTo } from './connection.js'
import { joinCalls } from './joined-calls.js'
import { ServiceUnavailable, TokenRefused } from './refusals.js'
import { judge, type Session } from './verdict.js'

export { ServiceUnavailable, type TokenReason, TokenRefused } from './refusals.js'
export type { Session } from './verdict.js'

export interface VerifierOptions {
  /**
   * Where the service is, for example `http://127.0.0.1:3000`. A path is kept: `/verify` is asked
   * for below it.
   */
  url: string
  /**
   * How long a call may take, in milliseconds. 1000 unless given: the service answers within 500
   * ms, and a call may have to wait for one answer before its own.
   */
  timeoutMs?: number
  /**
   * For how long a token that was accepted is accepted again without asking, in milliseconds; never
   * beyond its expiry. 0 unless given: every call asks. What it costs: **a token that was revoked,
   * by a logout, a newer login or a disabled account, goes on working in this process for up to
   * that time.**
   */
  cacheMs?: number
}

export type Verifier = ReturnType<typeof createVerifier>

/** What a token is made of (RFC 6750 §2.1). The service writes no other characters. */
const TOKEN = /^[\w.~+/-]+=*$/

/** Timers of Node count no further. */
const MAX_MS = 2 ** 31 - 1

/**
 * Asks the service who holds a token: `verify(token)`; and `close()` for the end, which no process
 * has to wait for.
 *
 * @throws TypeError when an option makes no sense.
 */
export function createVerifier({ url, timeoutMs = 1000, cacheMs = 0 }: VerifierOptions) {
  requireMs('timeoutMs', timeoutMs, 1)
  requireMs('cacheMs', cacheMs, 0)
  const service = connectTo(endpointBelow(url), timeoutMs)
  const ask = joinCalls(askService)
  const accepted = cacheMs > 0 ? rememberAccepted(cacheMs) : undefined

  return { verify, close: service.close }

  /**
   * Whose live session this token is.
   *
   * @throws TokenRefused when it is nobody's: answer 401.
   * @throws ServiceUnavailable when that could not be found out in time: answer 503.
   */
  async function verify(token: string): Promise<Session> {
    // Callers without types may pass on whatever a body held.
    if (typeof token !== 'string' || !TOKEN.test(token)) throw new TokenRefused('token_invalid')
    const session = accepted?.find(token) ?? (await within(timeoutMs, ask(token)))
    // Each caller's own: what one request does to it is none of another's business.
    return { ...session }
  }

  async function askService(token: string): Promise<Session> {
    const askedAt = performance.now()
    const session = judge(await service.post(JSON.stringify({ token })))
    accepted?.add(token, session, askedAt)
    return session
  }
}

function endpointBelow(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (!base || !/^https?:$/.test(base.protocol) || base.search || base.hash) {
    throw new TypeError('url: expected http://… or https://…, without a query')
  }
  base.pathname = `${base.pathname.replace(/\/$/, '')}/verify`
  return base
}

function requireMs(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least && value <= MAX_MS) return
  throw new TypeError(`${name}: expected milliseconds, a whole number from ${least} to ${MAX_MS}`)
}

/** A caller's own limit: it may have waited for a request before its own. */
function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new ServiceUnavailable(`auth-service: no answer within ${limitMs} ms`))
    timer = setTimeout(giveUp, limitMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
