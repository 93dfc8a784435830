import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import bcrypt from 'bcryptjs'
import t from 'tap'
import { build, claimsOf, MOBILE, PASSWORD } from '../helper.js'
import { patiently } from '../support/patience.js'

t.test('200 without replacing the stored hash, where hashing at the new cost takes too long', async (t) => {
  const service = await build(t, { env: { BCRYPT_COST: '15' } })
  await service.addUser()

  const { status } = await patiently(() =>
    service.call('POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } }),
  )

  const [row] = await service.sql`select password from user_login`
  t.equal(status, 200)
  t.match(row?.password, /^\$2b\$10\$/)
})

t.test('POST /login', async (t) => {
  const service = await build(t, { env: { BCRYPT_COST: '10' } })
  const userId = await service.addUser()
  const tryLogin = (body: unknown) => service.call('POST', '/login', { body })

  t.test('200 with a token for the right password', async (t) => {
    const { status, body, headers } = await tryLogin({ mobile: MOBILE, password: PASSWORD })

    t.equal(status, 200)
    t.match(body, { code: 200, data: { token_type: 'Bearer', user_id: userId, expires_in: 86400 } })
    t.equal(headers.get('cache-control'), 'no-store')
    t.equal((await service.identify(body.data.token)).status, 200)
  })

  t.test('200 with claims from the clock of PostgreSQL, without personal data', async (t) => {
    const claims = claimsOf(await service.login())

    const [row] = await service.sql`select extract(epoch from clock_timestamp())::float8 as now`
    t.equal(claims.exp, claims.iat + 86400)
    t.ok(claims.iat <= row?.now && row?.now - claims.iat < 5)
    t.strictSame(Object.keys(claims), ['iss', 'sub', 'jti', 'iat', 'exp', 'data'])
    t.strictSame(claims.data, { id: userId, login_time: claims.data.login_time })
    t.notMatch(JSON.stringify(claims), /13800138000/)
  })

  t.test('200 for every usual spelling of the mobile number', async (t) => {
    for (const mobile of [
      '13800138000',
      '+86 138 0013 8000',
      '0086 13800138000',
      '\u202d+86 138\u00a00013\u20118000\u202c',
      ' （+86）13800138000\n',
      '+86 00 138 0013 8000',
      '+86 86 138 0013 8000',
      'tel:138-0013-8000;phone-context=+86',
    ]) {
      const { status, body } = await tryLogin({ mobile, password: PASSWORD })
      t.equal(status, 200, mobile)
      t.equal(body.data.user_id, userId)
    }
  })

  t.test('200 for an old password that the rules no longer allow', async (t) => {
    const old = '123456789012345'
    const mobile = '+8613800138006'
    await service.addUser({ mobile, hash: bcrypt.hashSync(old, 10) })

    t.equal((await tryLogin({ mobile, password: old })).status, 200)
  })

  t.test('401 invalid_credentials with the same body and headers for every reason', async (t) => {
    await service.addUser({ mobile: '+8613800138001', status: 'disabled' })
    await service.addUser({ mobile: '+8613800138002', hash: 'not a bcrypt hash' })
    await service.addUser({
      mobile: '+8613800138003',
      hash: '$2b$99$ranq/8GerTEebPRDWhmvbuSrPTmAWvEwXeQzBUCvjAY1ZtTwQorHi',
    })

    const refuse = (body: unknown) => patiently(() => tryLogin(body))
    const answers = await Promise.all([
      refuse({ mobile: MOBILE, password: 'wrong umbrella, wrong' }),
      refuse({ mobile: MOBILE, password: `${PASSWORD} ` }),
      refuse({ mobile: MOBILE, password: PASSWORD.toUpperCase() }),
      refuse({ mobile: '+8613800138099', password: PASSWORD }),
      refuse({ mobile: '+8613800138001', password: PASSWORD }),
      refuse({ mobile: '+8613800138001', password: 'wrong umbrella' }),
      refuse({ mobile: '+8613800138002', password: PASSWORD }),
      refuse({ mobile: '+8613800138003', password: PASSWORD }),
    ])

    for (const { status, text, headers } of answers) {
      t.equal(status, 401)
      t.equal(text, answers[0].text)
      t.strictSame(withoutDate(headers), withoutDate(answers[0].headers))
    }
    t.match(answers[0].body, { code: 401, error: 'invalid_credentials' })
    t.equal(answers[0].headers.get('www-authenticate'), 'Bearer realm="auth"')
  })

  t.test('400 invalid_request names the field and never its value', async (t) => {
    const cases: [unknown, RegExp][] = [
      [{ mobile: MOBILE }, /password/],
      [{ password: PASSWORD }, /mobile/],
      [{ mobile: [MOBILE], password: PASSWORD }, /mobile/],
      [{ mobile: 13800138000, password: PASSWORD }, /mobile/],
      [{ mobile: MOBILE, password: true }, /password/],
      [{ mobile: MOBILE, password: PASSWORD, admin: true }, /unknown field 'admin'/],
      [{ mobile: 'sesame', password: PASSWORD }, /mobile/],
      [{ mobile: `${MOBILE} ext. 5`, password: PASSWORD }, /mobile/],
      [{ mobile: MOBILE, password: '' }, /password/],
      [{ mobile: MOBILE, password: '☂'.repeat(25) }, /password/],
      [{ mobile: MOBILE, password: `${PASSWORD}\0and more` }, /password/],
      ['{"mobile":', /./],
    ]
    for (const [sent, names] of cases) {
      const { status, body, text } = await service.call('POST', '/login', {
        body: sent,
        headers: { 'content-type': 'application/json' },
      })
      t.match({ status, body }, { status: 400, body: { code: 400, error: 'invalid_request' } }, text)
      t.match(body.msg, names)
      t.notMatch(text, /sesame|umbrella|13800|☂/)
    }
  })

  t.test('413 for a long body, 415 for a form, 405 for GET', async (t) => {
    const tooLarge = await tryLogin({ mobile: MOBILE, password: 'x'.repeat(5000) })
    const form = await service.call('POST', '/login', {
      body: `mobile=${MOBILE}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
    const elsewhere = await service.call('GET', '/login')

    t.match(tooLarge, { status: 413, body: { code: 413, error: 'payload_too_large' } })
    t.match(form, { status: 415, body: { code: 415, error: 'unsupported_media_type' } })
    t.match(elsewhere, { status: 405, body: { code: 405, error: 'method_not_allowed' } })
  })

  t.test('200 for parallel logins that replace a stored hash of lower cost', async (t) => {
    const mobile = '+8613800138004'
    await service.addUser({ mobile, hash: bcrypt.hashSync(PASSWORD, 4) })

    const tokens = await Promise.all([1, 2, 3].map(() => service.login({ mobile })))

    const [row] = await service.sql`select password from user_login where mobile = ${mobile}`
    t.match(row?.password, /^\$2b\$10\$/)
    const answers = await Promise.all(tokens.map((token) => service.identify(token)))
    t.equal(answers.filter(({ status }) => status === 200).length, 1)
    t.equal((await tryLogin({ mobile, password: PASSWORD })).status, 200)
  })

  t.test('200 without replacing a stored hash of higher cost', async (t) => {
    const mobile = '+8613800138016'
    const hash = bcrypt.hashSync(PASSWORD, 11)
    await service.addUser({ mobile, hash })

    await service.login({ mobile })

    const [row] = await service.sql`select password from user_login where mobile = ${mobile}`
    t.equal(row?.password, hash)
  })

  t.test('503, without a read from PostgreSQL, once a network has a second of hashing queued', async (t) => {
    const { accounts } = service.stores
    const { findByMobile } = accounts
    const asked: string[] = []
    accounts.findByMobile = (mobile) => {
      asked.push(mobile)
      return findByMobile(mobile)
    }
    t.teardown(() => {
      accounts.findByMobile = findByMobile
    })
    const tryAs = (mobile: string) => tryLogin({ mobile, password: PASSWORD })
    // From one network, whose attempts are hashed in the order of arrival.
    const flood = Array.from({ length: 40 * availableParallelism() }, (_, index) =>
      tryAs(`+861380013${9000 + index}`),
    )
    await Promise.any(flood.map(async (answer) => assert.equal((await answer).status, 503)))

    const late = '+8613800138005'
    const answers = await Promise.all([tryAs(late), tryAs(late), tryAs(late)])

    const shed = answers.filter(({ status }) => status === 503)
    t.ok(shed.length > 0)
    t.match(shed[0]?.body, { error: 'temporarily_unavailable' })
    t.equal(shed[0]?.headers.get('retry-after'), '1')
    t.equal(asked.filter((mobile) => mobile === late).length, answers.length - shed.length)
    await Promise.all(flood)
  })

  t.test('logs each login and each refusal in one line, without secrets', async (t) => {
    service.actions.length = 0
    const first = await service.login()
    await service.login()
    await tryLogin({ mobile: MOBILE, password: 'wrong umbrella\r\n{"event":"login"}' })
    await tryLogin({ mobile: '+8613800138099', password: PASSWORD })
    await tryLogin({ mobile: '+8613800138001', password: PASSWORD })
    await tryLogin({ mobile: '+8613800138001', password: 'wrong umbrella' })

    t.match(service.actions, [
      { event: 'session_superseded', user_id: userId },
      { event: 'login', user_id: userId, url: '/login', method: 'POST', ip: '127.0.0.1', request_id: String },
      { event: 'session_superseded', user_id: userId },
      { event: 'login', user_id: userId },
      { event: 'login_refused', user_id: null, reason: 'wrong password', mobile: '***8000' },
      { event: 'login_refused', user_id: null, reason: 'unknown mobile', mobile: '***8099' },
      { event: 'login_refused', user_id: null, reason: 'user disabled', mobile: '***8001' },
      { event: 'login_refused', user_id: null, reason: 'user disabled', mobile: '***8001' },
    ])
    t.equal(service.actions.length, 8)
    const log = JSON.stringify(service.actions)
    for (const secret of [first, PASSWORD, 'wrong umbrella', '13800138000']) t.notMatch(log, secret)
    for (const { time } of service.actions) t.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })
})

function withoutDate(headers: Headers) {
  return [...headers].filter(([name]) => name !== 'date')
}
