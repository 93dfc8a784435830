import { parseStoreUrl, type StoreUrl } from './grammar.js'
import { type Complain, readTlsFiles, TLS_PARAMETERS, type TlsFiles } from './tls-files.js'

/**
 * Where the servers of one Redis are, and the credentials, database and TLS files that they share.
 */
export interface RedisServers {
  readonly servers: readonly { host: string; port: number }[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** Undefined without TLS. */
  readonly tls: TlsFiles | undefined
}

/** Whether this is a URL of Redis in which no part of a password can be taken for another part. */
export function isRedisUrl(text: string): boolean {
  const url = parseStoreUrl(text)
  if (!url || !['redis', 'rediss'].includes(url.scheme)) return false
  return !url.host.startsWith('/') && /^\/?\d{0,6}$/.test(url.path)
}

/**
 * Reads well-formed URLs. Credentials, database and files may be in one of them or in all, but must
 * not differ.
 */
export function readRedisServers(texts: readonly string[], complain: Complain): RedisServers {
  const urls = texts.flatMap((text) => parseStoreUrl(text) ?? [])
  const parameters = urls.map((url) => url.parameters)
  const named = parameters.flatMap((each) => [...each.keys()])
  const schemes = new Set(urls.map(({ scheme }) => scheme))
  const credentials = distinct(
    urls.map(credentialsOf).filter(({ username, password }) => username || password),
  )
  const databases = distinct(urls.map(({ path }) => path.slice(1)).filter((path) => path !== ''))

  if (schemes.size > 1) complain('mixes redis:// and rediss://: with TLS all servers need rediss://')
  if (!schemes.has('rediss') && named.some((name) => TLS_PARAMETERS.includes(name))) {
    complain('has certificates for redis://, which is not TLS: use rediss://')
  }
  if (!named.every((name) => TLS_PARAMETERS.includes(name))) {
    complain(`can have no parameters but ${TLS_PARAMETERS.join(', ')}`)
  }
  if (credentials.length > 1) complain('has several users or passwords: there can be one for all servers')
  if (databases.length > 1) complain('names several databases: there can be one for all servers')

  return {
    servers: urls.map(({ host, port = 6379 }) => ({ host, port })),
    username: credentials[0]?.username,
    password: credentials[0]?.password,
    database: Number(databases[0] ?? 0),
    tls: schemes.has('rediss') ? readTlsFiles(parameters, complain) : undefined,
  }
}

function credentialsOf({ username, password }: StoreUrl) {
  return { username: username || undefined, password: password || undefined }
}

/** Each value once, compared as JSON. */
function distinct<T>(values: T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()]
}
