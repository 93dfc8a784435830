import { isIPv6 } from 'node:net'
import { isDecodable } from '../../text/utf8.js'

/** The parts of a store's URL, decoded. */
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

/** In the place of PostgreSQL's host, the directory of its Unix socket: every slash is escaped. */
const ESCAPED_DIRECTORY = String.raw`%2f[\w.%-]*`

/**
 * Stricter than RFC 3986: no character that ends one part may be unescaped in another. With the
 * password `p@ss` the host name would begin with `ss`, and host names are logged and asked of DNS.
 */
const UNAMBIGUOUS = new RegExp(
  `^(?<scheme>[a-z]+)://((?<username>[^:@/?#]*)(:(?<password>[^:@/?#]*))?@)?` +
    `(?<host>${HOST}|${ESCAPED_DIRECTORY})` +
    String.raw`(:(?<port>\d*))?(?<path>/[^@?#]*)?(\?(?<query>[^@#]*))?$`,
  'i',
)

/** Undefined where the text is no such URL, or could be read in two ways. */
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
