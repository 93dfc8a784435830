import { HOST, isPort, parseStoreUrl } from './grammar.js'
import { type Complain, readTlsFiles, TLS_PARAMETERS } from './tls-files.js'

/** In the parameter `host`, the directory of a Unix socket is not escaped. */
const HOST_PARAMETER = new RegExp(String.raw`^(${HOST}|/[\w./-]*)$`, 'i')

/** Parameters that are passed on to PostgreSQL as session parameters. */
export const SESSION_PARAMETERS = [
  'application_name',
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
]

const PARAMETERS = [
  ...['host', 'port', 'user', 'password', 'ssl', 'sslmode'],
  ...TLS_PARAMETERS,
  ...SESSION_PARAMETERS,
]

/** Values of sslmode with which the certificate of the server is not verified. */
const UNVERIFIED = ['disable', 'no-verify']

/**
 * Whether this is a URL of PostgreSQL in which no part of a password can be taken for another part.
 */
export function isPostgresUrl(text: string): boolean {
  const url = parseStoreUrl(text)
  if (!url || !['postgres', 'postgresql'].includes(url.scheme)) return false
  // The driver prefers these parameters to host and port before the path.
  const { parameters } = url
  return (
    parameters.getAll('host').every((host) => HOST_PARAMETER.test(host)) &&
    parameters.getAll('port').every(isPort)
  )
}

/**
 * Checks the parameters of a well-formed URL, and the TLS files that they name. Otherwise the
 * driver would ignore them, or fail at every connection.
 */
export function checkPostgresParameters(text: string, complain: Complain): void {
  const parameters = parseStoreUrl(text)?.parameters ?? new URLSearchParams()
  if (![...parameters.keys()].every((name) => PARAMETERS.includes(name))) {
    complain(`can have no parameters but ${PARAMETERS.join(', ')}`)
  }
  const mode = parameters.getAll('sslmode').at(-1) ?? ''
  if (parameters.has('sslrootcert') && UNVERIFIED.includes(mode)) {
    complain(`has sslrootcert, which sslmode=${mode} does not look at: use sslmode=verify-full`)
  }
  readTlsFiles([parameters], complain)
}
