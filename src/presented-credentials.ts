import { Refusal } from './errors.js'

/** The header of HTTP Basic (RFC 7617). */
const BASIC = /^basic +([a-z0-9+/]+={0,2}) *$/i

/** Name and secret, as they stand in it. */
const CREDENTIALS = /^([^:]*):(.*)$/s

/**
 * The name and the secret of a service client, out of an Authorization header. Both are percent-encoded inside it (RFC 6749
 * §2.3.1), which changes neither of ours but for libraries that encode more than they must.
 *
 * @throws Refusal `invalid_client`
 */
export function presentedCredentials(authorization: string): { name: string; secret: string } {
  const encoded = BASIC.exec(authorization)?.[1]
  const [, name, secret] = CREDENTIALS.exec(Buffer.from(encoded ?? '', 'base64').toString()) ?? []
  if (name === undefined || secret === undefined) throw new Refusal('invalid_client')
  try {
    return { name: decodeURIComponent(name), secret: decodeURIComponent(secret) }
  } catch {
    throw new Refusal('invalid_client')
  }
}
