import { forge, type Members, type Parts, type Specimen, show } from './forge.js'

/** Payloads that this service never writes, signed with its key. */
export function claims({ secret, header, claims, ...parts }: Parts): Specimen[] {
  const { data, iss, iat, exp } = claims
  const now = Math.floor(parts.now / 1000)
  const changes: Members[] = [
    ...[String(exp), '', null, true, [exp], {}, now, now - 1, now - 86_400, 0, -1, exp + 0.5, 9e15].map(
      (odd) => ({
        exp: odd,
      }),
    ),
    ...[String(iat), null, -1, now + 86_400, 0, 1.5].map((odd) => ({ iat: odd })),
    ...[now + 86_400, now - 1, String(now), null].map((nbf) => ({ nbf })),
    ...[
      [iss],
      [iss, 'other'],
      iss.slice(0, -1),
      `${iss}x`,
      `x${iss}`,
      iss.toUpperCase(),
      ` ${iss}`,
      'other',
      '',
    ]
      .concat([[]])
      .map((odd) => ({ iss: odd })),
    ...[null, {}, 0, `https://${iss}`].map((odd) => ({ iss: odd })),
    ...[
      'other',
      '',
      null,
      ['platform'],
      ['platform', 'other'],
      'platform',
      'plat',
      'platform2',
      'PLATFORM',
      {},
    ].map((aud) => ({ aud })),
    ...[
      "1'; drop table user_login; --",
      "' OR '1'='1",
      '__proto__',
      'constructor',
      'toString',
      '2',
      '',
      '0',
      '01',
    ]
      .concat([
        '+1',
        '-1',
        '1.0',
        '1e0',
        ' 1',
        '１',
        '9'.repeat(17),
        'x'.repeat(1000),
        'x'.repeat(10_000),
        '1\0',
      ])
      .map((sub) => ({ sub })),
    ...[1, null, ['1'], {}, true].map((sub) => ({ sub })),
    ...[
      '',
      'short',
      'a'.repeat(65),
      null,
      0,
      ['x'.repeat(32)],
      `${'a'.repeat(31)}.`,
      `${'a'.repeat(31)}\n`,
    ].map((jti) => ({ jti })),
    { jti: 'A'.repeat(32) },
    ...[
      null,
      [],
      'x',
      1,
      {},
      { ...data, role: 'admin' },
      { id: data.id },
      { login_time: data.login_time },
    ].map((odd) => ({ data: odd })),
    ...['1', 0, -1, 1.5, null, [1], true, {}].map((id) => ({ data: { ...data, id } })),
    ...['1', -1, 1.5, null, [1], 0].map((login_time) => ({ data: { ...data, login_time } })),
    ...[2, 1e21, Number.MAX_SAFE_INTEGER].map((id) => ({ sub: String(id), data: { ...data, id } })),
    ...[{ role: 'admin' }, { mobile: '+8613800138000' }, { user_id: 1 }, { cnf: {} }],
    JSON.parse('{"__proto__":{"admin":true}}'),
    JSON.parse('{"constructor":{"prototype":{"admin":true}}}'),
  ]
  const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name))
  return [
    ...changes.map((change) => ({
      name: `claims with ${show(change)}`,
      token: forge(header, merged(claims, change), secret),
    })),
    ...['iss', 'sub', 'jti', 'iat', 'exp', 'data'].map((name) => ({
      name: `claims without ${name}`,
      token: forge(header, without(name), secret),
    })),
    ...[[], [claims], {}, 'null', 'true', '1', '"text"', 'text', '', '{}{}', '[[[[]]]]'].map((odd) => ({
      name: `${show(odd)} as payload`,
      token: forge(header, odd, secret),
    })),
  ]
}

/** As JSON text, because an object literal would lose a member named `__proto__`. */
function merged(base: Members, change: Members): string {
  const members = new Map([...Object.entries(base), ...Object.entries(change)])
  return `{${[...members].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`
}
