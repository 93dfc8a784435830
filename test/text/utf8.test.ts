import bcrypt from 'bcryptjs'
import t from 'tap'
import { type Answer, basic, build, MOBILE, PASSWORD } from '../helper.js'
import { exchange, request } from '../support/raw-http.js'

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'
const PARASOLS = 'eight dry parasols'

/** The beginning of a login, up to the password. */
const LOG_IN = `{"mobile":"${MOBILE}","password":"`

/** Bytes that the conversions of Node.js all read as one or several U+FFFD. */
const NOT_UTF8: Record<string, string> = {
  'é in Latin-1': 'e9',
  'ü in Latin-1': 'fc',
  'a byte that is never in UTF-8': 'ff',
  'a lone continuation byte': '80',
  'two of three bytes': 'e282',
  'an overlong NUL': 'c080',
  'an overlong slash': 'e080af',
  'half a surrogate pair': 'eda080',
  'an emoji in CESU-8': 'eda0bdedb880',
  'a code point beyond U+10FFFF': 'f4908080',
  'five bytes': 'f888808080',
  'a letter in GBK': 'd6d0',
}

const UTF8: Record<string, string> = {
  'U+FFFD itself': 'efbfbd',
  'é in two bytes': 'c3a9',
  'é in its decomposed form': '65cc81',
  '漢 in three bytes': 'e6bca2',
  'an emoji in four bytes': 'f09f9880',
  'a byte order mark within': 'efbbbf',
}

t.test('text in a body', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '100' } })
  const userId = await service.addUser()
  const client = basic(await service.addClient(['users', 'introspect', 'revoke']))
  const secret = '\ufffd'.repeat(15)
  await service.addClient(['introspect'], { name: 'portal', secret })
  const token = await service.login()

  /** Every place for text in a JSON body. */
  const inJson: [method: string, path: string, before: string, after: string][] = [
    ['POST', '/login', '{"mobile":"', '","password":"x"}'],
    ['POST', '/login', `{"mobile":"${MOBILE}","password":"`, '"}'],
    ['POST', '/login', `{"mobile":"${MOBILE}","`, '":"x"}'],
    ['POST', '/verify', '{"token":"', '"}'],
    ['POST', '/password', '{"current":"', `","new":"${PARASOLS}"}`],
    ['POST', '/password', `{"current":"${PASSWORD}","new":"${PARASOLS}`, '"}'],
    ['POST', '/users', '{"mobile":"', `","password":"${PARASOLS}"}`],
    ['POST', '/users', `{"mobile":"+8613900139000","password":"${PARASOLS}`, '"}'],
    ['PATCH', `/users/${userId}`, '{"status":"', '"}'],
    ['PUT', `/users/${userId}/password`, `{"password":"${PARASOLS}`, '"}'],
  ]
  const inForm: [before: string, after: string][] = [
    [`token=${token}`, ''],
    ['token=', `&token_type_hint=${token}`],
    [`token=${token}&other=`, ''],
    [`token=${token}&`, '=x'],
    [`token=${token}&`, ''],
  ]

  for (const [name, hex] of Object.entries(NOT_UTF8)) {
    t.test(`400 from every route that reads JSON, for ${name}`, async (t) => {
      for (const [method, path, before, after] of inJson) {
        const answer = await send(method, path, around(before, hex, after))

        t.match(answer, { status: 400, body: { error: 'invalid_request', msg: 'body is not UTF-8' } }, before)
      }
    })

    t.test(`400 from every route that reads a form, as bytes and as %-escapes, for ${name}`, async (t) => {
      for (const path of ['/introspect', '/revoke']) {
        for (const [before, after] of inForm) {
          const bytes = await submit(path, around(before, hex, after))
          const escapes = await submit(path, Buffer.from(before + escaped(hex) + after))

          t.match(bytes.body, { error: 'invalid_request', error_description: 'body is not UTF-8' })
          t.match(escapes.body, {
            error: 'invalid_request',
            error_description: 'body holds %-escapes that are not UTF-8',
          })
          t.strictSame([bytes.status, escapes.status], [400, 400])
        }
      }
    })
  }

  for (const [name, hex] of Object.entries(UTF8)) {
    t.test(`200 for ${name}`, async (t) => {
      const password = around('seven wet ', hex, ' umbrellas').toString()

      const set = await send('PUT', `/users/${userId}/password`, Buffer.from(JSON.stringify({ password })))
      const login = await send('POST', '/login', around(`${LOG_IN}seven wet `, hex, ' umbrellas"}'))
      const other = await send('POST', '/login', around(`${LOG_IN}seven wet `, '', ' umbrellas"}'))
      const form = await submit('/introspect', around('token=', hex, ''))
      const escapedForm = await submit('/introspect', Buffer.from(`token=${escaped(hex)}`))

      t.strictSame([set, login, other, form, escapedForm].map(statusOf), [200, 200, 401, 200, 200])
    })
  }

  t.test('400 for bytes and escapes that were once read as a password of U+FFFD', async (t) => {
    // An earlier version could store such a password. No route stores it today.
    const hash = bcrypt.hashSync('\ufffd'.repeat(15), 4)
    await service.sql`update user_login set password = ${hash} where user_id = ${userId}`

    for (const hex of ['e9', 'fc', 'ff']) {
      t.equal((await send('POST', '/login', around(LOG_IN, hex.repeat(15), '"}'))).status, 400, hex)
    }
    for (const half of ['\\ud800', '\\ud801', '\\udBFF', '\\uDC00', '\\udfff', '\\uDC00\\uD800']) {
      const answer = await send('POST', '/login', Buffer.from(`${LOG_IN}${half.repeat(15)}"}`))
      t.match(answer, {
        status: 400,
        body: { error: 'invalid_request', msg: 'body holds an escape that is half a surrogate pair' },
      })
    }
    t.equal((await send('POST', '/login', around(LOG_IN, 'efbfbd'.repeat(15), '"}'))).status, 200)
  })

  t.test('400 from every route that reads JSON, for half a surrogate pair at any place', async (t) => {
    for (const [method, path, before, after] of inJson) {
      for (const half of [
        '\\ud800',
        'x\\uDFFFx',
        '\\ud83d\\u0041',
        '\\ud83d\\ud83d\\ude00',
        '\\ud83d\\ude00\\ude00',
        '\\ud83d😀',
        '\\ud83d\\n\\ude00',
        '\\\\\\udead',
      ]) {
        const answer = await send(method, path, Buffer.from(before + half + after))

        t.match(answer, { status: 400, body: { error: 'invalid_request' } }, `${before}${half}`)
      }
    }
  })

  t.test('400 for half a pair in a member that a later member of the same name replaces', async (t) => {
    const answer = await send('POST', '/verify', Buffer.from(`{"token":"\\ud800","token":"${token}"}`))

    t.match(answer, { status: 400, body: { error: 'invalid_request' } })
  })

  t.test('200 for a whole pair in escapes, and for an escaped backslash before a u', async (t) => {
    for (const [written, meant] of [
      ['\\ud83d\\ude00', '😀'],
      ['\\uD83D\\uDE00', '😀'],
      ['\\\\ud83d', '\\ud83d'],
    ] as const) {
      const body = `{"password":"seven ${written} umbrellas"}`
      t.equal((await send('PUT', `/users/${userId}/password`, Buffer.from(body))).status, 200)
      const password = `seven ${meant} umbrellas`
      t.equal((await send('POST', '/login', json({ mobile: MOBILE, password }))).status, 200)
    }
  })

  t.test('400 for malformed %-escapes of a form', async (t) => {
    for (const broken of ['%', '%4', '%zz', '%u0041', '%-1', '%C3%A', '%C3x%A9', '%C3+%A9']) {
      t.equal((await submit('/introspect', Buffer.from(`token=${broken}`))).status, 400, broken)
    }
  })

  t.test('400 for UTF-16 and UTF-32', async (t) => {
    const text = JSON.stringify({ token })
    const little = Buffer.from(text, 'utf16le')
    const wide = Buffer.alloc(text.length * 4)
    for (const [index, char] of [...text].entries()) wide.writeUInt32LE(char.charCodeAt(0), index * 4)

    for (const bytes of [
      little,
      Buffer.from(little).swap16(),
      Buffer.from(`\ufeff${text}`, 'utf16le'),
      Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
      wide,
    ]) {
      t.match(await send('POST', '/verify', bytes), { status: 400, body: { error: 'invalid_request' } })
    }
  })

  t.test('200 for a byte order mark before the body', async (t) => {
    const live = await logInAgain()
    const marked = await send('POST', '/verify', Buffer.from(`\ufeff${JSON.stringify({ token: live })}`))
    const form = await submit('/introspect', Buffer.from(`\ufefftoken=${live}`))

    t.equal(marked.status, 200)
    t.match(form, { status: 200, body: { active: true } })
    t.equal((await send('POST', '/verify', Buffer.from('\ufeff'))).status, 400, 'nor is it a body')
  })

  t.test('413 for a body over 4,096 bytes, however few characters', async (t) => {
    const most = 4096 - '{"token":""}'.length
    const short = Buffer.from(JSON.stringify({ token: '漢'.repeat(Math.floor(most / 3)) }))
    const long = Buffer.from(JSON.stringify({ token: '漢'.repeat(Math.floor(most / 3) + 1) }))

    t.equal((await send('POST', '/verify', short)).status, 401)
    t.equal((await send('POST', '/verify', long)).status, 413)
    t.equal((await send('POST', '/verify', Buffer.alloc(4097, 0xff))).status, 413)
  })

  t.test('401 for Basic credentials that are not UTF-8, as bytes and as %-escapes', async (t) => {
    const ask = (credentials: Buffer) =>
      submit('/introspect', Buffer.from('token=x'), `Basic ${credentials.toString('base64')}`)
    t.equal((await ask(Buffer.from(`portal:${secret}`))).status, 200)

    for (const hex of Object.values(NOT_UTF8)) {
      for (const credentials of [
        around('portal:', hex.repeat(15), ''),
        Buffer.from(`portal:${escaped(hex).repeat(15)}`),
        around('portal', hex, `:${secret}`),
      ]) {
        const answer = await ask(credentials)
        t.match(answer, { status: 401, body: { error: 'invalid_client' } }, hex)
      }
    }
  })

  t.test('401 for a Bearer header with bytes beyond ASCII, 400 for a path with such escapes', async (t) => {
    for (const hex of Object.values(NOT_UTF8)) {
      const bytes = Buffer.from(hex, 'hex').toString('latin1')
      const { answers } = await exchange(
        service.url,
        request('GET', '/identify', [`Authorization: Bearer ${token}${bytes}`]),
        { answers: 1 },
      )
      const address = await service.call('GET', `/users/${escaped(hex)}`, {
        headers: { authorization: client },
      })

      t.equal(answers[0]?.status, 401)
      t.equal(address.status, 400)
    }
  })

  t.test('adds no user by the refused requests', async (t) => {
    t.equal((await service.sql`select 1 from user_login`).length, 1)
  })

  function send(method: string, path: string, body: Uint8Array): Promise<Answer> {
    const authorization = path === '/password' ? `Bearer ${token}` : client
    return service.call(method, path, { body, headers: { 'content-type': JSON_TYPE, authorization } })
  }

  function submit(path: string, body: Uint8Array, authorization = client): Promise<Answer> {
    return service.call('POST', path, { body, headers: { 'content-type': FORM_TYPE, authorization } })
  }

  async function logInAgain(): Promise<string> {
    await send('PUT', `/users/${userId}/password`, json({ password: PARASOLS }))
    return service.login({ password: PARASOLS })
  }
})

t.test('the charset of a body', async (t) => {
  const service = await build(t)
  await service.addUser()
  const client = basic(await service.addClient(['introspect']))
  const token = await service.login()
  const bodies: [path: string, type: string, body: string][] = [
    ['/verify', JSON_TYPE, JSON.stringify({ token })],
    ['/introspect', FORM_TYPE, `token=${token}`],
  ]
  const ask = async (path: string, types: string[], body: string) => {
    const lines = [...types.map((type) => `Content-Type: ${type}`), `Authorization: ${client}`]
    const { answers } = await exchange(service.url, request('POST', path, lines, body), { answers: 1 })
    return { status: answers[0]?.status, body: JSON.parse(answers[0]?.text ?? '') }
  }

  const right = [
    '',
    ';',
    '; charset=utf-8',
    ';charset=UTF-8',
    '; Charset=Utf-8',
    '; charset="utf-8"',
    '; charset=utf8',
    ' ; \t charset=utf-8 ',
    '; charset=utf-8; charset=utf-8',
    '; version=1; charset=utf-8; q="x"',
  ]
  for (const parameters of right) {
    t.test(`200 for ${JSON.stringify(parameters)}`, async (t) => {
      for (const [path, type, body] of bodies) {
        t.equal((await ask(path, [type + parameters], body)).status, 200)
      }
    })
  }

  const wrong = [
    '; charset=iso-8859-1',
    ';charset=ISO-8859-1',
    '; CHARSET="iso-8859-1"',
    '; charset=latin1',
    '; charset=us-ascii',
    '; charset=utf-16',
    '; charset=utf-16le',
    '; charset=utf-32',
    '; charset=utf-7',
    '; charset=gbk',
    '; charset=gb18030',
    '; charset=utf-8859-1',
    '; charset=utf-88',
    '; charset=xutf-8',
    '; charset=utf-8; charset=iso-8859-1',
    '; charset=iso-8859-1; charset=utf-8',
    '; charset=iso-8859-1;',
    '; version=1; charset=iso-8859-1',
    ';;charset=iso-8859-1',
    '; charset=',
    '; charset=""',
    '; charset="utf-8',
    "; charset='utf-8'",
    '; charset = iso-8859-1',
    '; charset=\\utf-8',
    "; charset*=utf-8''iso-8859-1",
    '; charset=utf-8, text/plain',
  ]
  for (const parameters of wrong) {
    t.test(`415 for ${JSON.stringify(parameters)}`, async (t) => {
      for (const [path, type, body] of bodies) {
        const answer = await ask(path, [type + parameters], body)

        t.match(answer, { status: 415, body: { error: 'unsupported_media_type' } })
      }
    })
  }

  t.test('415, not 400, where the bytes are in the charset that is named', async (t) => {
    const utf16 = Buffer.from(JSON.stringify({ token }), 'utf16le').toString('latin1')

    t.equal((await ask('/verify', ['application/json; charset=utf-16'], utf16)).status, 415)
  })

  t.test('400 for several Content-Type headers, of which Node.js keeps the first', async (t) => {
    for (const [path, type, body] of bodies) {
      for (const second of [type, `${type}; charset=iso-8859-1`, 'text/plain']) {
        t.match(await ask(path, [type, second], body), { status: 400, body: { error: 'invalid_request' } })
      }
    }
  })
})

function around(before: string, hex: string, after: string): Buffer {
  return Buffer.concat([Buffer.from(before), Buffer.from(hex, 'hex'), Buffer.from(after)])
}

function escaped(hex: string): string {
  return hex.replace(/../g, '%$&')
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function statusOf({ status }: Answer): number {
  return status
}
