import { createHmac } from 'node:crypto'

/** A token, and a description of what is odd about it. */
export interface Specimen {
  name: string
  token: string
}

export type Members = Record<string, unknown>

/** The input for the corpus. */
export interface Origin {
  /** A token that the service has signed. */
  good: string
  /** The key with which it was signed. */
  secret: string
  /** The address of a server that notices requests for a key. */
  keyServer?: string
  /** Milliseconds since the epoch. */
  now?: number
}

/** The input for the corpus, with the token parsed. */
export interface Parts extends Required<Origin> {
  header: Members
  claims: Members & { data: Members; exp: number; iat: number; iss: string; sub: string }
}

/** The base64url of a text, of bytes, or of the JSON of anything else. */
export const encode = (value: unknown) =>
  Buffer.from(
    typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value),
  ).toString('base64url')

/** A compact JWS with any header and payload, signed with HMAC. A string is taken as JSON text. */
export function forge(header: unknown, payload: unknown, key: string | Buffer, hash = 'sha256'): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`
}

/** A short text of a value, for the name of a specimen. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 40)}… (${text.length})` : text)
}

/** The header of a token, without verifying it. */
export function headerOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
}
