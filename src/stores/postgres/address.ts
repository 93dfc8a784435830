import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { parseStoreUrl } from '../../config/store-urls/grammar.js'
import { readTlsFiles } from '../../config/store-urls/tls-files.js'
import { OperatorError } from '../../refusals/operator-error.js'

/**
 * How to reach PostgreSQL: a URL, or the Unix socket of the embedded one. Behind a pooler that gives
 * every transaction another connection (`transaction`), nothing may be left in a connection, and
 * nothing can be told to it beforehand.
 */
export type PostgresAddress = { url: string; pooling?: 'session' | 'transaction' } | { socketPath: string }

/** What an address says, in the driver's terms. */
export interface Target {
  host?: string
  port?: number
  /** A Unix socket, which is then used in place of host and port. */
  path?: string
  user?: string
  password?: string
  database?: string
  ssl: ConnectionOptions | false
  /** What PostgreSQL is told at the beginning of a session. */
  connection: Record<string, string>
}

const DEFAULT_PORT = 5432

/** Parameters of a URL that PostgreSQL itself is told. */
const SESSION_PARAMETERS = [
  'application_name',
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
]

/**
 * Reads an address, and the files for TLS that it names. Parameters of a URL come before what stands
 * in front of them.
 *
 * @throws OperatorError when a file cannot be read any more.
 */
export function targetOf(address: PostgresAddress): Target {
  if ('socketPath' in address) {
    return { path: address.socketPath, user: 'postgres', database: 'postgres', ssl: false, connection: {} }
  }
  const url = parseStoreUrl(address.url)
  if (!url) throw new OperatorError('DATABASE_URL: is not the URL of a PostgreSQL')
  const given: Partial<Record<string, string>> = Object.fromEntries(url.parameters)
  const host = given.host || url.host
  const port = Number(given.port || url.port || DEFAULT_PORT)
  const user = given.user || url.username
  const password = given.password || url.password
  const database = url.path.slice(1)
  return {
    host,
    port,
    ...(host.startsWith('/') && { path: `${host}/.s.PGSQL.${port}` }),
    ...(user && { user }),
    ...(password && { password }),
    ...(database && { database }),
    ssl: tlsOf(host, url.parameters),
    connection: Object.fromEntries(
      SESSION_PARAMETERS.flatMap((name) => (given[name] ? [[name, given[name]]] : [])),
    ),
  }
}

/**
 * Every mode but `disable` and `no-verify` asks for a certificate that an authority vouches for, and
 * that is made out to this host: `verify-full`, whatever libpq would make of `prefer` or `require`.
 */
function tlsOf(host: string, parameters: URLSearchParams): ConnectionOptions | false {
  const given: Partial<Record<string, string>> = Object.fromEntries(parameters)
  const { sslmode: mode, ssl, sslnegotiation } = given
  const files = readTlsFiles([parameters], (problem) => {
    throw new OperatorError(`DATABASE_URL: ${problem}`)
  })
  const isAskedFor =
    mode || Object.keys(files).length > 0 || (ssl && ssl !== '0') || sslnegotiation === 'direct'
  if (!isAskedFor || mode === 'disable') return false
  return {
    host,
    // RFC 6066, section 3: no address is a server's name.
    ...(isIP(host) === 0 && { servername: host }),
    ...(mode === 'no-verify' || (!mode && ssl === 'no-verify') ? { rejectUnauthorized: false } : {}),
    ...files,
  }
}

/** Behind a transaction pooler the next statement may find another session, without those prepared. */
export function keepsStatements(address: PostgresAddress): boolean {
  return 'socketPath' in address || address.pooling !== 'transaction'
}

/** Not behind a transaction pooler, and not in PGlite, which is one session for all its connections. */
export function hasOwnSessions(address: PostgresAddress): boolean {
  return !('socketPath' in address) && address.pooling !== 'transaction'
}
