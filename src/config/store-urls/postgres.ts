import { HOST, isPort, parseStoreUrl } from './grammar.js'
import { type Complain, readTlsFiles } from './tls-files.js'

/** In a parameter a directory of Unix sockets is written as it is. */
const HOST_PARAMETER = new RegExp(String.raw`^(${HOST}|/[\w./-]*)$`, 'i')

/** Modes of TLS in which nobody looks at the server's certificate. */
const UNVERIFIED = ['disable', 'no-verify']

/**
 * Whether this names a PostgreSQL, and no part of a password can be taken for another part of the
 * URL.
 */
export function isPostgresUrl(text: string): boolean {
  const url = parseStoreUrl(text)
  if (!url || !['postgres', 'postgresql'].includes(url.scheme)) return false
  // The driver prefers them to what stands before the path.
  const { parameters } = url
  return (
    parameters.getAll('host').every((host) => HOST_PARAMETER.test(host)) &&
    parameters.getAll('port').every(isPort)
  )
}

/**
 * Looks at the files for TLS that a well-formed URL names: the driver would stumble over them at
 * every connection.
 */
export function checkPostgresTls(text: string, complain: Complain): void {
  const parameters = parseStoreUrl(text)?.parameters ?? new URLSearchParams()
  const mode = parameters.getAll('sslmode').at(-1) ?? ''
  if (parameters.has('sslrootcert') && UNVERIFIED.includes(mode)) {
    complain(`has sslrootcert, which sslmode=${mode} does not look at: use sslmode=verify-full`)
  }
  readTlsFiles([parameters], complain)
}
