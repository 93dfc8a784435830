import { rememberAccepted } from './accepted-tokens.js'
import { connectTo } from './connection.js'
import { joinCalls } from './joined-calls.js'
import { ServiceUnavailable, TokenRefused } from './refusals.js'
import { judge, type Session } from './verdict.js'

export { ServiceUnavailable, type TokenReason, TokenRefused } from './refusals.js'
export type { Session } from './verdict.js'

export interface VerifierOptions {
  /**
   * The service's base URL, for example `http://127.0.0.1:3000`. Its path is kept: `/verify` is
   * appended to it.
   */
  url: string
  /**
   * How long a call may take, in milliseconds. Default 1000: the service answers within 500 ms, and
   * a call may have to wait for one other answer first.
   */
  timeoutMs?: number
  /**
   * How long an accepted token is accepted again without asking, in milliseconds, never beyond its
   * expiry. Default 0: every call asks. The cost: **a token that was revoked, by a logout, a newer
   * login or a disabled account, still works in this process for up to that time.**
   */
  cacheMs?: number
}

export type Verifier = ReturnType<typeof createVerifier>

/** The `b64token` of RFC 6750 §2.1. The service issues no token with other characters. */
const TOKEN = /^[\w.~+/-]+=*$/

/** The longest delay of Node's timers. */
const MAX_MS = 2 ** 31 - 1

/**
 * Asks the service whose session a token is. `close()` ends what is under way. A process can also
 * exit without it.
 *
 * @throws TypeError for an invalid option.
 */
export function createVerifier({ url, timeoutMs = 1000, cacheMs = 0 }: VerifierOptions) {
  requireMs('timeoutMs', timeoutMs, 1)
  requireMs('cacheMs', cacheMs, 0)
  const service = connectTo(endpointBelow(url), timeoutMs)
  const ask = joinCalls(askService)
  const accepted = cacheMs > 0 ? rememberAccepted(cacheMs) : undefined

  return { verify, close: service.close }

  /**
   * The live session of a token.
   *
   * @throws TokenRefused if it has none: answer 401.
   * @throws ServiceUnavailable without an answer in time: answer 503.
   */
  async function verify(token: string): Promise<Session> {
    // Untyped callers may pass any value.
    if (typeof token !== 'string' || !TOKEN.test(token)) throw new TokenRefused('token_invalid')
    const session = accepted?.find(token) ?? (await within(timeoutMs, ask(token)))
    // A copy for each caller: one must not see what another changes.
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

/** A time limit per call, which may also wait for an earlier request. */
function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new ServiceUnavailable(`auth-service: no answer within ${limitMs} ms`))
    timer = setTimeout(giveUp, limitMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
