import { isIPv6 } from 'node:net'
import { isDecodable } from '../../text/utf8.js'

/** The decoded parts of the URL of a store. */
export interface StoreUrl {
  scheme: string
  username: string | undefined
  password: string | undefined
  host: string
  port: number | undefined
  path: string
  parameters: URLSearchParams
}

/** A host name, an IPv4 address, or an IPv6 address in brackets. */
export const HOST = String.raw`[\w.-]+|\[[\da-f:.]+\]`

/** In place of a host of PostgreSQL: the directory of its Unix socket, with every slash escaped. */
const ESCAPED_DIRECTORY = String.raw`%2f[\w.%-]*`

/**
 * Stricter than RFC 3986: inside a part, the delimiters of all parts must be escaped. With the
 * password `p@ss` the host name would begin with `ss`, and host names are logged and sent to DNS.
 */
const UNAMBIGUOUS = new RegExp(
  `^(?<scheme>[a-z]+)://((?<username>[^:@/?#]*)(:(?<password>[^:@/?#]*))?@)?` +
    `(?<host>${HOST}|${ESCAPED_DIRECTORY})` +
    String.raw`(:(?<port>\d*))?(?<path>/[^@?#]*)?(\?(?<query>[^@#]*))?$`,
  'i',
)

/** @returns undefined if the text is not such a URL, or could be read in two ways. */
export function parseStoreUrl(text: string): StoreUrl | undefined {
  const parts = UNAMBIGUOUS.exec(text)?.groups
  // The drivers' parsers drop or escape blanks, each in its own way.
  if (!parts || /[\s\p{Cc}]/u.test(text) || !isDecodable(text)) return undefined
  const { scheme = '', username, password, host = '', port, path = '', query } = parts
  const address = host.replace(/^\[|\]$/g, '')
  if ((host.startsWith('[') && !isIPv6(address)) || (port && !isPort(port))) return undefined
  return {
    scheme: scheme.toLowerCase(),
    username: username && decodeURIComponent(username),
    password: password && decodeURIComponent(password),
    host: decodeURIComponent(address),
    port: port ? Number(port) : undefined,
    path: decodeURIComponent(path),
    parameters: new URLSearchParams(query),
  }
}

export function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535
}
