import type { Answer } from './connection.js'
import { isTokenReason, ServiceUnavailable, TokenRefused } from './refusals.js'

/**
 * The session that a token is of. `expiresAt` in seconds since the epoch, `loginTime` in
 * milliseconds.
 */
export interface Session {
  userId: number
  sessionId: string
  loginTime: number
  expiresAt: number
}

/**
 * What is read of an answer, which may be anybody's: every member could be missing, or anything.
 */
interface Envelope {
  code?: unknown
  error?: unknown
  data?: Verdict | null
}

/** What /verify says of a live token, by the service's OpenAPI document. */
interface Verdict {
  user_id?: unknown
  expires_at?: unknown
  payload?: { jti?: unknown; data?: { login_time?: unknown } }
}

/**
 * Whose session it is, by the answer to /verify. Only what the contract says counts: any other
 * answer, of the service or of a proxy before it, says nothing about the token.
 *
 * @throws TokenRefused
 * @throws ServiceUnavailable
 */
export function judge({ status, retryAfter, text }: Answer): Session {
  const { code, error, data } = envelope(text)
  if (code === status) {
    const session = status === 200 && sessionIn(data ?? {})
    if (session) return session
    if (status === 401 && isTokenReason(error)) throw new TokenRefused(error)
    // All that can be long in the question is the token, and the service writes none that is.
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

/** Seconds of a Retry-After; its other form, a date, is nothing that the service sends. */
function secondsIn(retryAfter: string | undefined): number | undefined {
  return /^\d{1,4}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined
}
