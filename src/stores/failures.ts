import { Unavailable } from '../refusals/refusal.js'

/** A driver's error in one line, without data: its code, and what the code or the message means. */
export function describe(error: Error): string {
  const { code, message, reason } = error as NodeJS.ErrnoException & { reason?: string }
  if (error instanceof Unavailable) return (error.reason ?? '').replace(/^\w+: /, '')
  if (code && CONNECTION_WORDS[code]) return `${code} ${CONNECTION_WORDS[code]}`
  if (code && NO_TLS.test(code)) return `${code} ${SPEAKS_NO_TLS}`
  // OpenSSL's messages contain line breaks; `reason` holds the meaning alone.
  if (code?.startsWith('ERR_SSL_') && reason) return `${code} ${reason}`
  return code && !message.includes(code) ? `${code} ${message}`.trim() : message || (code ?? error.name)
}

/**
 * Whether a failure with this description is permanent: wrong credentials, an unknown database, an
 * untrusted server, missing rights.
 */
export function isHopeless(description: string): boolean {
  return HOPELESS.some((pattern) => pattern.test(description))
}

/** What to do about a failure with this description, in brackets; empty where that is plain. */
export function cureOf(description: string): string {
  const [, cure] = CURES.find(([pattern]) => pattern.test(description)) ?? []
  return cure === undefined ? '' : ` (${cure})`
}

export const SPEAKS_NO_TLS = 'the server does not speak TLS'

const HOPELESS = [
  /^(28000|28P01|3D000|08P01)/,
  /^(NOAUTH|WRONGPASS|NOPERM|MOVED|CROSSSLOT)/,
  /DB index is out of range/,
  /does not speak TLS/,
  /^(ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/,
]

const CURES: [RegExp, string][] = [
  [/startup parameter/, 'PgBouncer: set DATABASE_POOLING=transaction, which suits all of its modes'],
  [/^NOPERM/, 'the Redis user needs the rights in docs/least-privilege.md'],
  [/^(MOVED|CROSSSLOT)/, 'this Redis is a node of a cluster: set REDIS_MODE=cluster'],
  [/DB index is out of range/, 'the number at the end of REDIS_URL is the database'],
  [/^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/, 'sslrootcert in the URL names the file of its authority'],
]

/** For these errors, postgres.js gives only a code. */
const CONNECTION_WORDS: Partial<Record<string, string>> = {
  CONNECT_TIMEOUT: 'no connection came about in time',
  CONNECTION_CLOSED: 'the server closed the connection',
  CONNECTION_DESTROYED: 'the server did not answer in time',
}

/** OpenSSL's errors when the server answers in plain text. */
const NO_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/
