import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { basic, build, MOBILE } from '../helper.js'
import { corpusFiles, corpusJson, needsCorpora } from '../support/corpora.js'
import { findings, flawsOf } from '../support/envelope.js'
import { rawPathClient } from '../support/http-client.js'
import { exchange, request } from '../support/raw-http.js'

const JSON_TYPE = { 'content-type': 'application/json' }

t.test('hostile bodies', async (t) => {
  const lines: string[] = []
  const stream = new PassThrough().on('data', (line) => lines.push(String(line)))
  const log = pino({ level: 'trace' }, stream)
  const service = await build(t, { log })
  const userId = await service.addUser()
  const authorization = basic(await service.addClient(['users']))
  const token = await service.login()
  const send = rawPathClient(t, service.url)
  /** Routes that read a body, with the credentials that they need. */
  const routes: [method: string, path: string, shown: { authorization?: string }][] = [
    ['POST', '/login', {}],
    ['POST', '/verify', {}],
    ['POST', '/users', { authorization }],
    ['PATCH', `/users/${userId}`, { authorization }],
    ['PUT', `/users/${userId}/password`, { authorization }],
  ]

  t.test('400 for every file of JSONTestSuite as a body, 413 over 4 kB', needsCorpora(), async (t) => {
    const files = corpusFiles('JSONTestSuite/test_parsing')

    for (const [method, path, shown] of routes) {
      const wrong = await findings(files, async ({ name, bytes }) => {
        const answer = await send(method, path, { ...JSON_TYPE, ...shown }, bytes)
        const statuses = [bytes.length > 4096 ? 413 : 400]
        return [name, flawsOf(answer, { statuses, input: bytes.toString() })]
      })

      t.strictSame(wrong, [], path)
    }
    t.ok(files.length > 300)
  })

  t.test('400 for every file of JSONTestSuite as the value of a field', needsCorpora(), async (t) => {
    const files = corpusFiles('JSONTestSuite/test_parsing').filter(({ bytes }) => bytes.length < 2000)
    const around = (field: string, value: Buffer, rest: string) =>
      Buffer.concat([Buffer.from(`{"${field}":`), value, Buffer.from(`${rest}}`)])

    const wrong = await findings(files, async ({ name, bytes }) => {
      const answers = [
        await send('POST', '/login', JSON_TYPE, around('mobile', bytes, ',"password":"x"')),
        await send('POST', '/login', JSON_TYPE, around('password', bytes, ',"mobile":"12"')),
        await send('POST', '/verify', JSON_TYPE, around('check', bytes, ',"token":"x"')),
        await provision('POST', '/users', around('mobile', bytes, ',"password":"eight dry parasols"')),
        await provision('POST', '/users', around('password', bytes, ',"mobile":"+8613900139000"')),
        await provision('PATCH', `/users/${userId}`, around('status', bytes, '')),
        await provision('PUT', `/users/${userId}/password`, around('password', bytes, '')),
      ]
      return [
        name,
        answers.flatMap((answer) => flawsOf(answer, { statuses: [400], input: bytes.toString() })),
      ]
    })

    t.strictSame(wrong, [])
  })

  t.test('400 or 415 for a bad body under any content type', needsCorpora(), async (t) => {
    const types = corpusJson<{ content_type: string }[]>('fastify/content-types.json')
    const bodies = ['{"mobile":["0912345678"],"password":true,"token":7}', 'not JSON', '[]', '']

    const wrong = await findings(types, async ({ content_type: type }) => {
      const found: string[] = []
      for (const route of routes) {
        for (const body of bodies) found.push(...(await flawsUnder(type, route, body, [400, 415])))
      }
      return [type, found]
    })

    t.strictSame(wrong, [])
    t.ok(types.length > 50)
  })

  t.test('200 for a good body under application/json only', needsCorpora(), async (t) => {
    const types = corpusJson<{ content_type: string }[]>('fastify/content-types.json')
    const body = JSON.stringify({ token })

    const wrong = await findings(types, async ({ content_type: type }) => {
      const isJson = /^[ \t]*application\/json[ \t]*(;|$)/i.test(type)
      const statuses = isJson ? [200, 400, 415] : [400, 415]
      return [type, await flawsUnder(type, ['POST', '/verify', {}], body, statuses)]
    })

    t.strictSame(wrong, [])
  })

  t.test('400 from /login for other types, unknown members and prototype poisoning', async (t) => {
    const odd = [
      '0',
      '1',
      '8613800138000',
      '1e400',
      'true',
      'false',
      'null',
      '[]',
      '{}',
      `["${MOBILE}"]`,
      '[[["x"]]]',
    ]
    odd.push(
      `{"0":"${MOBILE}"}`,
      '{"toString":"x"}',
      '""',
      `"${'1'.repeat(33)}"`,
      `"${'x'.repeat(73)}"`,
      '"\\u0000"',
    )
    const good = `"mobile":"${MOBILE}","password":"not it"`
    const members = ['"extra":1', '"__proto__":{}', '"__proto__":{"mobile":"x"}', '"__proto__":null', '"":1']
    members.push(
      '"constructor":{"prototype":{}}',
      '"constructor":{"prototype":{"x":1}}',
      '"a":{"__proto__":{}}',
    )
    members.push('"prototype":1', '"toString":"x"', '"hasOwnProperty":1', '"Mobile":"x"', '"password ":"x"')
    members.push('"\\u005f_proto__":{}', '"user_id":1', '"status":"active"')
    const bodies = [
      ...odd.flatMap((value) => [
        value,
        `{"mobile":${value},"password":"not it"}`,
        `{"mobile":"12","password":${value}}`,
      ]),
      ...members.flatMap((member) => [`{${good},${member}}`, `{${member},${good}}`, `{${member}}`]),
      `{"mobile":"${MOBILE}"}`,
      '{"password":"not it"}',
      `[{${good}}]`,
      `"{${good}}"`,
      '['.repeat(4000),
      `${'{"a":'.repeat(600)}1${'}'.repeat(600)}`,
      ' '.repeat(4096),
    ]

    const wrong = await findings(bodies, async (body) => {
      const answer = await send('POST', '/login', JSON_TYPE, Buffer.from(body))
      return [body, flawsOf(answer, { statuses: [400], input: body })]
    })

    t.strictSame(wrong, [])
    t.equal(({} as { mobile?: unknown }).mobile, undefined, 'and no prototype has a new member')
  })

  t.test('400 from /verify and /password for other types and unknown members', async (t) => {
    const bodies = {
      '/verify': [
        '{}',
        '{"token":1}',
        '{"token":["x"]}',
        '{"token":null}',
        '{"token":""}',
        '{"token":"x","a":1}',
      ]
        .concat([
          '{"token":"x","check":"none"}',
          '{"token":"x","check":["session"]}',
          '{"token":"x","check":null}',
        ])
        .concat(['{"token":"x","check":"Signature"}', '{"token":"x","__proto__":{"check":"signature"}}']),
      '/password': [
        '{}',
        '{"current":"x"}',
        '{"current":true,"new":"seven dry umbrellas"}',
        '{"current":"x","new":15}',
      ]
        .concat([
          `{"current":["x"],"new":["seven dry umbrellas"]}`,
          `{"current":"x","new":"${'é'.repeat(37)}"}`,
        ])
        .concat(['{"current":"x","new":"too short"}', '{"current":"x\\u0000","new":"seven dry umbrellas"}'])
        .concat([
          '{"current":"x","new":"seven dry umbrellas","user_id":2}',
          '{"__proto__":{},"current":"x"}',
        ]),
    }

    for (const [path, texts] of Object.entries(bodies)) {
      const wrong = await findings(texts, async (body) => {
        const answer = await send(
          'POST',
          path,
          { ...JSON_TYPE, authorization: `Bearer ${token}` },
          Buffer.from(body),
        )
        return [body, flawsOf(answer, { statuses: [400], input: body })]
      })
      t.strictSame(wrong, [], path)
    }
  })

  t.test('400 from the routes for users for other types and unknown members', async (t) => {
    const password = '"password":"eight dry parasols"'
    const bodies: Record<string, string[]> = {
      'POST /users': [
        '{}',
        `{${password}}`,
        `{"mobile":["+8613900139000"],${password}}`,
        `{"mobile":8613900139000,${password}}`,
        `{"mobile":"${'1'.repeat(33)}",${password}}`,
        '{"mobile":"+8613900139000","password":["eight dry parasols"]}',
        '{"mobile":"+8613900139000","password":"eight dry parasols\\u0000"}',
        `{"mobile":"+8613900139000","password":"${'é'.repeat(37)}"}`,
        `{"mobile":"+8613900139000",${password},"status":"active"}`,
        `{"mobile":"+8613900139000",${password},"__proto__":{}}`,
        `{"mobile":"+8613900139000",${password},"constructor":{"prototype":{}}}`,
      ],
      [`PATCH /users/${userId}`]: [
        '{}',
        '{"status":null}',
        '{"status":["disabled"]}',
        '{"status":"Disabled"}',
        '{"status":"disabled","user_id":1}',
        '{"status":"disabled","__proto__":{}}',
        '{"__proto__":{"status":"disabled"}}',
      ],
      [`PUT /users/${userId}/password`]: [
        '{}',
        '{"password":true}',
        '{"password":["eight dry parasols"]}',
        '{"password":"too short"}',
        `{${password},"current":"x"}`,
        `{${password},"__proto__":{}}`,
      ],
    }

    for (const [route, texts] of Object.entries(bodies)) {
      const [method = '', path = ''] = route.split(' ')
      const wrong = await findings(texts, async (body) => {
        const answer = await provision(method, path, Buffer.from(body))
        return [body, flawsOf(answer, { statuses: [400], input: body })]
      })
      t.strictSame(wrong, [], route)
    }
  })

  t.test('200 from /livez after all hostile bodies, without an error in the log', async (t) => {
    const { status } = await service.call('GET', '/livez')

    t.equal(status, 200)
    t.notMatch(lines.join(), token)
    t.strictSame(
      lines.filter((line) => JSON.parse(line).level >= 50),
      [],
    )
    t.equal((await service.identify(token)).status, 200, 'nor was anything done to the user')
    t.equal((await service.sql`select 1 from user_login`).length, 1)
  })

  function provision(method: string, path: string, body: Buffer) {
    return send(method, path, { ...JSON_TYPE, authorization }, body)
  }

  /** Over a bare socket, because an HTTP client refuses to send some content types. */
  async function flawsUnder(
    type: string,
    [method, path, { authorization }]: (typeof routes)[number],
    body: string,
    statuses: number[],
  ): Promise<string[]> {
    const lines = [`Content-Type: ${Buffer.from(type).toString('latin1')}`, 'Connection: close']
    if (authorization) lines.push(`Authorization: ${authorization}`)
    const { answers } = await exchange(service.url, request(method, path, lines, body))
    const [answer, ...more] = answers
    if (!answer || more.length > 0) return [`${answers.length} answers`]
    return flawsOf(answer, { statuses, input: type })
  }
})
