/** A session, as its token says it. `expiresAt` in seconds since the epoch, `loginTime` in milliseconds. */
export interface Session {
  userId: number
  sessionId: string
  loginTime: number
  expiresAt: number
}
