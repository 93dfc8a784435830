import { forge, type Parts, type Specimen, show } from './forge.js'

/** JSON texts that mean the same in another notation, or two things at once. */
export function texts({ secret, header, claims }: Parts): Specimen[] {
  const [head, body] = [JSON.stringify(header), JSON.stringify(claims)]
  const twice = (text: string, member: string) => [
    text.replace('{', `{${member},`),
    text.replace(/}$/, `,${member}}`),
  ]
  const heads = [
    ` ${head}`,
    `${head}\n`,
    head.replaceAll(':', ': '),
    `\ufeff${head}`,
    ...twice(head, '"alg":"none"'),
  ]
  heads.push(
    ...twice(head, '"alg":"HS256"'),
    head.replace('HS', '\\u0048S'),
    head.replace('"alg"', '"\\u0061lg"'),
  )
  const bodies = [
    ` ${body}`,
    `${body} `,
    body.replaceAll(',', ', '),
    `\ufeff${body}`,
    ...twice(body, '"sub":"2"'),
  ]
  bodies.push(...twice(body, `"sub":"${claims.sub}"`), ...twice(body, '"exp":99999999999'))
  bodies.push(body.replace('"id":', '"id":2,"id":'), body.replace('"iss"', '"\\u0069ss"'))
  bodies.push(...[`${claims.exp}.0`, `${claims.exp}e0`, '1e400', '-1e400', '1e21', '-0'].map(expiry))
  bodies.push(
    body.replace(/"id":\d+/, '"id":1.0'),
    body.slice(0, -1),
    `${body}}`,
    `${body}${body}`,
    `[${body}]`,
  )
  const broken = (hex: string) => Buffer.concat([Buffer.from(body.slice(0, -1)), Buffer.from(hex, 'hex')])

  return [
    ...heads.map((text) => ({ name: `header text ${show(text)}`, token: forge(text, claims, secret) })),
    ...bodies.map((text) => ({ name: `payload text ${show(text)}`, token: forge(header, text, secret) })),
    ...['2c2278223a22ff227d', '2c2278223a22c080227d', '2c2278223a22eda080227d', 'fffe', '00'].map((hex) => ({
      name: `payload that ends in the bytes ${hex}`,
      token: forge(header, broken(hex), secret),
    })),
    {
      name: 'payload with broken UTF-8 in iss',
      token: forge(header, Buffer.from(body.replace(claims.iss, `${claims.iss}\xff`), 'latin1'), secret),
    },
  ]

  function expiry(text: string): string {
    return body.replace(/"exp":\d+/, `"exp":${text}`)
  }
}
