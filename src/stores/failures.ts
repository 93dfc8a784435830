/**
 * A driver's error in one line without data: its code and, where it says nothing of values, its
 * message.
 */
export function describe(error: Error): string {
  const { code, message, reason } = error as NodeJS.ErrnoException & { reason?: string }
  if (code && CONNECTION_WORDS[code]) return `${code} ${CONNECTION_WORDS[code]}`
  if (code && NO_TLS.test(code)) return `${code} ${SPEAKS_NO_TLS}`
  // OpenSSL's messages have line breaks in them, and what they mean in a property.
  if (code?.startsWith('ERR_SSL_') && reason) return `${code} ${reason}`
  return code && !message.includes(code) ? `${code} ${message}`.trim() : message || (code ?? error.name)
}

/**
 * Whether waiting does not cure what is described so: wrong credentials, no such database, a server
 * that is not trusted.
 */
export function isHopeless(description: string): boolean {
  return HOPELESS.some((pattern) => pattern.test(description))
}

export const SPEAKS_NO_TLS = 'the server does not speak TLS'

const HOPELESS = [
  /^(28000|28P01|3D000)/,
  /^(NOAUTH|WRONGPASS|NOPERM)/,
  /does not speak TLS/,
  /^(ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/,
]

/** The driver of PostgreSQL has only codes. */
const CONNECTION_WORDS: Partial<Record<string, string>> = {
  CONNECT_TIMEOUT: 'no connection came about in time',
  CONNECTION_CLOSED: 'the server closed the connection',
  CONNECTION_DESTROYED: 'the server did not answer in time',
}

/** OpenSSL's names for an answer in the clear. */
const NO_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/
