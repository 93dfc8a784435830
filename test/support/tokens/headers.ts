import { generateKeyPairSync, sign } from 'node:crypto'
import { encode, forge, type Members, type Parts, type Specimen, show } from './forge.js'

/** Headers that this service never writes, signed with its key and with another key. */
export function headers({ good, secret, keyServer, header, claims }: Parts): Specimen[] {
  const other = 'a key that this service has never seen before'
  const jwk = { kty: 'oct', k: encode(other), alg: 'HS256', kid: header.kid }
  const without = (name: string) => Object.fromEntries(Object.entries(header).filter(([key]) => key !== name))
  const changes: Members[] = [
    ...[
      'HS384',
      'HS512',
      'none',
      'None',
      'NONE',
      'nOnE',
      'RS256',
      'ES256',
      'EdDSA',
      'PS256',
      'hs256',
      'HS256 ',
    ],
    ...['', null, 0, true, {}, ['HS256'], ['none', 'HS256'], 'A256KW', 'dir'],
  ].map((alg) => ({ alg }))
  changes.push(...[['x'], ['b64'], ['exp'], [], null, '', 'x', 0, {}, false].map((crit) => ({ crit })))
  changes.push(
    ...['JWT', 'jwt', 'at+jwt', 'SESSION+JWT', 'session+jwt ', 'application/session+jwt', ''].map(typ),
  )
  changes.push(...[null, ['session+jwt'], 'reset+jwt'].map(typ))
  changes.push({ crit: ['b64'], b64: false }, { b64: false }, { zip: 'DEF' }, { cty: 'JWT' }, { extra: 1 })
  changes.push(
    { jwk },
    { jku: `${keyServer}/jwks.json` },
    { x5u: `${keyServer}/cert.pem` },
    { x5c: ['MIIB'] },
  )
  changes.push(...['other', '', '../../dev/null', "' OR 1=1 --", null, 0, ['a']].map((kid) => ({ kid })))
  changes.push({ kid: `${keyServer}/key` }, { kid: 'x'.repeat(10_000) })

  return [
    ...changes.flatMap((change) => [
      { name: `header with ${show(change)}`, token: forge({ ...header, ...change }, claims, secret) },
      {
        name: `another's, header with ${show(change)}`,
        token: forge({ ...header, ...change }, claims, other),
      },
    ]),
    ...['alg', 'typ', 'kid'].map((name) => ({
      name: `header without ${name}`,
      token: forge(without(name), claims, secret),
    })),
    ...[{}, [], null, 'null', '1', '"HS256"', '', '{', 'not JSON'].map((odd) => ({
      name: `${show(odd)} as header`,
      token: forge(odd, claims, secret),
    })),
    { name: 'HS384 with its own hash', token: forge({ ...header, alg: 'HS384' }, claims, secret, 'sha384') },
    { name: 'HS512 with its own hash', token: forge({ ...header, alg: 'HS512' }, claims, secret, 'sha512') },
    { name: 'HS256 in the header, HS512 in truth', token: forge(header, claims, secret, 'sha512') },
    { name: 'none without signature', token: `${encode({ ...header, alg: 'none' })}.${good.split('.')[1]}.` },
    { name: 'RS256 with a key pair of its own', token: rs256({ ...header, alg: 'RS256' }, claims) },
  ]

  function typ(value: unknown): Members {
    return { typ: value }
  }
}

function rs256(header: Members, payload: unknown): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
}
