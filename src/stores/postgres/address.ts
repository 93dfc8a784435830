import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { parseStoreUrl } from '../../config/store-urls/grammar.js'
import { SESSION_PARAMETERS } from '../../config/store-urls/postgres.js'
import { readTlsFiles } from '../../config/store-urls/tls-files.js'
import { OperatorError } from '../../refusals/operator-error.js'

/**
 * How to reach PostgreSQL: by URL, or by the Unix socket of the embedded one. `transaction` means a
 * pooler that gives every transaction another connection: sessions then keep nothing between
 * transactions, neither prepared statements nor settings.
 */
export type PostgresAddress = { url: string; pooling?: 'session' | 'transaction' } | { socketPath: string }

/** An address in the driver's terms. */
export interface Target {
  host?: string
  port?: number
  /** A Unix socket, used instead of host and port. */
  path?: string
  user?: string
  password?: string
  database?: string
  ssl: ConnectionOptions | false
  /** Parameters that are sent at the start of a session. */
  connection: Record<string, string>
}

const DEFAULT_PORT = 5432

/**
 * Reads an address, and the TLS files that it names. The parameters `host`, `port`, `user` and
 * `password` override the same parts of the URL.
 *
 * @throws OperatorError when the URL is invalid, or a file cannot be read
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
 * Every mode except `disable` and `no-verify` means `verify-full`: a certificate from a trusted
 * authority, issued to this host. libpq would accept less for `prefer` or `require`.
 */
function tlsOf(host: string, parameters: URLSearchParams): ConnectionOptions | false {
  const given: Partial<Record<string, string>> = Object.fromEntries(parameters)
  const { sslmode: mode, ssl, sslrootcert } = given
  const files = readTlsFiles([parameters], (problem) => {
    throw new OperatorError(`DATABASE_URL: ${problem}`)
  })
  const isAskedFor = mode || sslrootcert || Object.keys(files).length > 0 || (ssl && ssl !== '0')
  if (!isAskedFor || mode === 'disable') return false
  return {
    host,
    // RFC 6066, section 3: a server name is never an IP address.
    ...(isIP(host) === 0 && { servername: host }),
    ...(mode === 'no-verify' || (!mode && ssl === 'no-verify') ? { rejectUnauthorized: false } : {}),
    ...files,
  }
}

/**
 * Whether prepared statements persist. Behind a transaction pooler the next statement may run in
 * another session, without them.
 */
export function keepsStatements(address: PostgresAddress): boolean {
  return 'socketPath' in address || address.pooling !== 'transaction'
}

/**
 * Whether every connection has its own session. Not behind a transaction pooler, and not in PGlite,
 * which has one session for all connections.
 */
export function hasOwnSessions(address: PostgresAddress): boolean {
  return !('socketPath' in address) && address.pooling !== 'transaction'
}
