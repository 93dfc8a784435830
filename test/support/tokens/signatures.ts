import { createHash, createHmac } from 'node:crypto'
import { forge, type Parts, type Specimen, show } from './forge.js'

/** The right header and payload, with other signatures. */
export function signatures({ good, secret, header, claims }: Parts): Specimen[] {
  const [head = '', payload = '', signature = ''] = good.split('.')
  const input = `${head}.${payload}`
  const bytes = Buffer.from(signature, 'base64url')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const keys = [
    '',
    ' ',
    'secret',
    'x'.repeat(43),
    `${secret}\n`,
    ` ${secret}`,
    secret.toLowerCase(),
    secret.slice(1),
  ]
  const wrong: Record<string, string> = {
    empty: '',
    'one byte short': bytes.subarray(0, -1).toString('base64url'),
    'one byte long': Buffer.concat([bytes, Buffer.of(0)]).toString('base64url'),
    'all zero': Buffer.alloc(32).toString('base64url'),
    'in hexadecimal': bytes.toString('hex'),
    'in base64 with padding': bytes.toString('base64'),
    'with + and /': signature.replaceAll('-', '+').replaceAll('_', '/').replace(/^./, '+'),
    reversed: [...signature].reverse().join(''),
    'a hash without key': createHash('sha256').update(input).digest('base64url'),
    'the HMAC of the payload alone': createHmac('sha256', secret).update(payload).digest('base64url'),
    'the payload': payload,
    undefined: 'undefined',
    'three characters': 'AAA',
    'with a space in it': `${signature.slice(0, 9)} ${signature.slice(9)}`,
    'with a ? in it': `${signature.slice(0, 9)}?${signature.slice(9)}`,
    'with a newline behind it': `${signature}\n`,
    'with a NUL behind it': `${signature}\0`,
    'with a full-width letter': `${signature.slice(0, -1)}Ａ`,
  }
  return [
    ...[...alphabet].map((last) => ({
      name: `signature that ends in ${last}`,
      token: `${good.slice(0, -1)}${last}`,
    })),
    ...Object.entries(wrong).map(([name, odd]) => ({ name: `signature ${name}`, token: `${input}.${odd}` })),
    ...keys.map((key) => ({ name: `key ${show(key)}`, token: forge(header, claims, key) })),
    { name: 'the key decoded from base64', token: forge(header, claims, Buffer.from(secret, 'base64')) },
    {
      name: 'the signature of another payload',
      token: forge(header, { ...claims, sub: '2' }, secret).replace(/\..*\./, `.${payload}.`),
    },
  ]
}
