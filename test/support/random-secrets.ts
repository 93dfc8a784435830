import { createHash } from 'node:crypto'

/** Commands with which operators make a key, applied to 64 random bytes. */
export const RANDOM_SECRETS: Record<string, (bytes: Buffer) => string> = {
  'openssl rand -hex 32': (bytes) => bytes.subarray(0, 32).toString('hex'),
  'openssl rand -hex 64': (bytes) => bytes.toString('hex'),
  'openssl rand -base64 32': (bytes) => bytes.subarray(0, 32).toString('base64'),
  'openssl rand -base64 48': (bytes) => bytes.subarray(0, 48).toString('base64'),
  'openssl rand -base64 64': (bytes) => bytes.toString('base64').replace(/.{64}/, '$&\n'),
  'openssl rand -base64 32 | base64': (bytes) =>
    Buffer.from(`${bytes.subarray(0, 32).toString('base64')}\n`).toString('base64'),
  'openssl rand -hex 32 | base64': (bytes) =>
    Buffer.from(`${bytes.subarray(0, 32).toString('hex')}\n`).toString('base64'),
  'secrets.token_urlsafe(32) of Python': (bytes) => bytes.subarray(0, 32).toString('base64url'),
  'secrets.token_urlsafe(48) of Python': (bytes) => bytes.subarray(0, 48).toString('base64url'),
  'a password manager, 40 signs': (bytes) =>
    [...bytes.subarray(0, 40)].map((byte) => String.fromCharCode(0x21 + (byte % 94))).join(''),
}

/**
 * 64 bytes that look random and are the same in every run. About one of some million random keys is
 * refused, so a test with random bytes would fail from time to time.
 */
export function sampleBytes(index: number): Buffer {
  return createHash('sha512').update(`sample ${index}`).digest()
}
