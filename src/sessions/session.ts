/**
 * A session as its token names it. `expiresAt` in seconds since the epoch, `loginTime`, the stamp,
 * in milliseconds.
 */
export interface Session {
  userId: number
  sessionId: string
  loginTime: number
  expiresAt: number
}
