import type {} from 'fastify'

/** The session that a request was made with. `expiresAt` in seconds since the epoch, `loginTime` in milliseconds. */
export interface Session {
  userId: number
  sessionId: string
  loginTime: number
  expiresAt: number
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose request this is. Only there behind requireSession. */
    session: Session
  }
}
