import type { Answer } from './connection.js'
import { isTokenReason, ServiceUnavailable, TokenRefused } from './refusals.js'

/** The session of a token. `expiresAt` in seconds since the epoch, `loginTime` in milliseconds. */
export interface Session {
  userId: number
  sessionId: string
  loginTime: number
  expiresAt: number
}

/** The members that are read of an answer. A proxy may have sent it: trust no type. */
interface Envelope {
  code?: unknown
  error?: unknown
  data?: Verdict | null
}

/** What /verify answers about a live token, as the service's OpenAPI document defines it. */
interface Verdict {
  user_id?: unknown
  expires_at?: unknown
  payload?: { jti?: unknown; data?: { login_time?: unknown } }
}

/**
 * The session in an answer of /verify. An answer outside the contract, from the service or from a
 * proxy, says nothing about the token.
 *
 * @throws TokenRefused when the answer refuses the token.
 * @throws ServiceUnavailable for every other answer.
 */
export function judge({ status, retryAfter, text }: Answer): Session {
  const { code, error, data } = envelope(text)
  if (code === status) {
    const session = status === 200 && sessionIn(data ?? {})
    if (session) return session
    if (status === 401 && isTokenReason(error)) throw new TokenRefused(error)
    // Only the token can make the body too large, and the service issues no such token.
    if (status === 413 && error === 'payload_too_large') throw new TokenRefused('token_invalid')
  }
  throw new ServiceUnavailable(`auth-service answered ${status}`, secondsIn(retryAfter))
}

function sessionIn({ user_id: userId, expires_at: expiresAt, payload }: Verdict): Session | undefined {
  const sessionId = payload?.jti
  const loginTime = payload?.data?.login_time
  if (!isNumber(userId) || !isNumber(expiresAt) || !isNumber(loginTime)) return undefined
  if (typeof sessionId !== 'string' || sessionId === '') return undefined
  return { userId, sessionId, loginTime, expiresAt }
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

function envelope(text: string): Envelope {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

/** The seconds of a Retry-After. The service never sends its other form, a date. */
function secondsIn(retryAfter: string | undefined): number | undefined {
  return /^\d{1,4}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined
}
