import t from 'tap'
import { LANGUAGES } from '../../src/refusals/language.js'
import { DETAILS, MESSAGES, ruleMessage } from '../../src/refusals/messages.js'
import type { Slug } from '../../src/refusals/refusal.js'
import { type Answer, basic, build, type CallOptions, claimsOf, MOBILE, PASSWORD } from '../helper.js'
import { operations } from '../support/openapi.js'
import { patiently } from '../support/patience.js'
import { exchange, request } from '../support/raw-http.js'

const CHINESE = /\p{Script=Han}/u
const ZH = { 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8' }
const EN = { 'accept-language': 'en' }

/** Slugs of refusals that are sent before the headers, and so Accept-Language, have been read. */
type Unread = 'request_timeout' | 'headers_too_large'

t.test('every refusal, in English and in Chinese', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '3' } })
  const brief = await build(t, { backends: service.backends, env: { TOKEN_TTL_SECONDS: '2' } })
  const mobiles = ['01', '02', '03', '04', '05'].map((end) => `+86138001380${end}`)
  const [ofExpired, ofSuperseded, ofEnded, ofDisabled, ofThrottled] = mobiles as [
    string,
    string,
    string,
    string,
    string,
  ]
  for (const mobile of [MOBILE, ...mobiles]) await service.addUser({ mobile })
  const provisioner = { authorization: basic(await service.addClient(['users'])) }
  const reader = { authorization: basic(await service.addClient(['introspect', 'revoke'])) }

  const expired = await brief.login({ mobile: ofExpired })
  const superseded = await service.login({ mobile: ofSuperseded })
  await service.login({ mobile: ofSuperseded })
  const ended = await service.login({ mobile: ofEnded })
  await service.logout(ended)
  const disabled = await service.login({ mobile: ofDisabled })
  await service.sql`update user_login set status = 'disabled' where mobile = ${ofDisabled}`
  const wrongPassword = (mobile: string): Cause => ['POST', '/login', { body: { mobile, password: 'wrong' } }]
  for (let attempt = 0; attempt < 3; attempt++) await service.call(...wrongPassword(ofThrottled))
  await new Promise((resolve) => setTimeout(resolve, claimsOf(expired).exp * 1000 - Date.now()))

  // A slug that is missing here does not compile.
  const causes: Record<Exclude<Slug, Unread>, Cause> = {
    invalid_request: ['GET', '/%zz', {}],
    token_missing: ['GET', '/identify', {}],
    token_invalid: ['GET', '/identify', { token: 'x.y.z' }],
    token_expired: ['GET', '/identify', { token: expired }],
    session_superseded: ['GET', '/identify', { token: superseded }],
    session_ended: ['POST', '/verify', { body: { token: ended } }],
    user_disabled: ['GET', '/identify', { token: disabled }],
    invalid_credentials: wrongPassword(MOBILE),
    invalid_client: ['GET', '/users/1', {}],
    not_allowed: ['GET', '/users/1', { headers: reader }],
    not_found: ['GET', '/nowhere', {}],
    method_not_allowed: ['GET', '/login', {}],
    mobile_taken: ['POST', '/users', { body: { mobile: MOBILE, password: PASSWORD }, headers: provisioner }],
    payload_too_large: ['POST', '/verify', { body: { token: 'x'.repeat(5000) } }],
    unsupported_media_type: [
      'POST',
      '/verify',
      { body: 'token=x', headers: { 'content-type': 'text/plain' } },
    ],
    too_many_attempts: wrongPassword(ofThrottled),
    internal: ['POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } }],
    temporarily_unavailable: ['GET', '/readyz', {}],
  }
  /** How the test causes the failures that no request causes. They come last. */
  const before: Partial<Record<Slug, () => unknown>> = {
    internal: () => {
      // No request causes a bug, so a store is made to throw.
      service.stores.accounts.findByMobile = () => Promise.reject(new TypeError('a bug'))
    },
    temporarily_unavailable: () => service.redis.stop(),
  }

  for (const [slug, [method, path, options]] of Object.entries(causes) as [keyof typeof causes, Cause][]) {
    t.test(slug, async (t) => {
      await before[slug]?.()
      const ask = (headers: Record<string, string>) => {
        const call = () =>
          service.call(method, path, { ...options, headers: { ...options.headers, ...headers } })
        return slug === 'temporarily_unavailable' ? call() : patiently(call)
      }
      const [english, chinese] = [await ask(EN), await ask(ZH)]

      t.match(english.body, { error: slug, msg: MESSAGES[slug].en })
      t.match(chinese.body, { error: slug, msg: MESSAGES[slug].zh })
      t.strictSame({ ...chinese.body, msg: '' }, { ...english.body, msg: '' })
      t.equal(chinese.status, english.status)
      t.strictSame(languageOf(english), { language: 'en', vary: 'accept-language' })
      t.strictSame(languageOf(chinese), { language: 'zh', vary: 'accept-language' })
      const challenge = chinese.headers.get('www-authenticate')
      t.equal(challenge, english.headers.get('www-authenticate'), 'the challenge is English for everybody')
      if (challenge?.includes('error_description')) t.ok(challenge.includes(`"${MESSAGES[slug].en}"`))
    })
  }
})

t.test('408 and 431 in English, whatever Accept-Language says', async (t) => {
  const service = await build(t)
  const unread: Record<Unread, string> = {
    headers_too_large: request('GET', '/livez', ['Accept-Language: zh', `X-Other: ${'x'.repeat(8200)}`]),
    request_timeout: 'GET /livez HTTP/1.1\r\nHost: auth.test\r\nAccept-Language: zh\r\nX-Oth',
  }
  for (const [slug, bytes] of Object.entries(unread) as [Unread, string][]) {
    const { answers } = await exchange(service.url, bytes)

    t.match(JSON.parse(answers[0]?.text ?? ''), { error: slug, msg: MESSAGES[slug].en })
    t.equal(answers[0]?.headers['content-language'], 'en')
  }
})

t.test('details of refusals', async (t) => {
  const service = await build(t)
  await service.addUser()
  const token = await service.login()
  const canary = 'CANARY-7f3a'
  const good = { mobile: MOBILE, password: PASSWORD }
  const LONG_ENOUGH = 'eight dry umbrellas'
  const provisioner = { authorization: basic(await service.addClient(['users'])) }

  const broken: [path: string, body: unknown, msg: string][] = [
    ['/login', { mobile: canary }, "body 缺少必填字段 'password'"],
    ['/login', { ...good, extra_field: canary }, "body 含有未定义的字段 'extra_field'"],
    ['/login', { ...good, [canary]: 1 }, 'body 含有未定义的字段'],
    ['/login', { ...good, ['x'.repeat(33)]: 1 }, 'body 含有未定义的字段'],
    ['/login', canary, 'body 不是有效的 JSON'],
    ['/login', '', 'body 不是有效的 JSON'],
    ['/login', '{"__proto__":{}}', '请求格式不正确。'],
    ['/login', { ...good, mobile: [canary] }, 'body/mobile 的类型必须是 string'],
    ['/login', [canary], 'body 的类型必须是 object'],
    ['/login', { ...good, mobile: '12' }, 'body/mobile 不能少于 3 个字符'],
    ['/login', { ...good, mobile: canary.repeat(9) }, 'body/mobile 不能超过 64 个字符'],
    ['/login', { ...good, mobile: canary }, 'mobile 不是有效的电话号码'],
    ['/login', { ...good, password: `☂${canary.repeat(6)}☂☂` }, 'password 超过 72 字节'],
    ['/login', { ...good, password: `${canary}\0` }, 'password 含有 NUL 字符'],
    ['/verify', { token: canary, check: canary }, 'body/check 不在允许的取值之内'],
    ['/password', { current: PASSWORD, new: canary }, 'body/new 不能少于 15 个字符'],
    ['/password', { current: `${canary}\0`, new: LONG_ENOUGH }, 'current 含有 NUL 字符'],
    [
      '/password',
      { current: PASSWORD, new: canary.repeat(3) },
      'new 太容易被猜到：由常见密码、键盘顺序、连续或重复的字符组成；请用自己的一个短句',
    ],
    ['/password', { current: PASSWORD, new: '138-0013-8000 138' }, 'new 几乎就是本账号的手机号'],
    ['/users', { mobile: canary, password: LONG_ENOUGH }, 'mobile 不是有效的电话号码'],
    ['/users', { mobile: MOBILE, password: canary }, 'body/password 不能少于 15 个字符'],
  ]
  for (const [path, body, msg] of broken) {
    t.test(`400 in Chinese: ${msg}`, async (t) => {
      const shown = path === '/users' ? provisioner : {}
      const [english, chinese] = [EN, ZH].map((headers) =>
        patiently(() =>
          service.call('POST', path, {
            ...{ token, body },
            headers: { 'content-type': 'application/json', ...headers, ...shown },
          }),
        ),
      )

      t.strictSame((await chinese)?.body, { code: 400, error: 'invalid_request', msg })
      t.notMatch((await english)?.body.msg, CHINESE)
      for (const answer of [await english, await chinese]) t.notMatch(answer?.text, canary)
    })
  }

  t.test('400 in Chinese for an invalid user id, 404 for an unknown user', async (t) => {
    for (const [id, msg] of [
      [canary, 'params/id 的类型必须是 integer'],
      ['9007199254740992', 'params/id 不能大于 9007199254740991'],
      ['999999999', '用户不存在。'],
    ] as const) {
      const { body } = await service.call('GET', `/users/${id}`, { headers: { ...ZH, ...provisioner } })
      t.equal(body.msg, msg)
    }
  })

  t.test('repeats nothing of a path, a header, a body or a token', async (t) => {
    for (const language of LANGUAGES) {
      const headers = { 'accept-language': `${language}, ${canary};q=0.1`, 'x-other': canary }
      const answers = [
        await service.call('GET', `/${canary}?${canary}=1`, { headers }),
        await service.call('GET', '/%zz', { headers }),
        await service.call('GET', '/identify', { headers, token: canary }),
        await service.call('POST', '/verify', {
          headers: { ...headers, 'content-type': canary },
          body: canary,
        }),
        await service.call('POST', '/login', { headers, body: { [canary]: canary } }),
      ]
      for (const { headers, text } of answers) {
        t.equal(headers.get('content-language'), language)
        t.notMatch(`${[...headers].join()} ${text}`, canary)
      }
    }
  })
})

t.test('200 with msg ok and no Content-Language, for a caller who prefers Chinese', async (t) => {
  const service = await build(t)
  await service.addUser()
  const token = await service.login()
  const requests: Cause[] = [
    ['GET', '/livez', {}],
    ['GET', '/readyz', {}],
    ['GET', '/identify', { token }],
    ['POST', '/verify', { body: { token } }],
    ['POST', '/verify', { body: { token, check: 'signature' } }],
    ['POST', '/logout', { token }],
    ['POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } }],
  ]

  for (const [method, path, options] of requests) {
    const answer = await service.call(method, path, { ...options, headers: ZH })

    t.match(answer, { status: 200, body: { msg: 'ok' } }, path)
    t.notMatch(answer.text, CHINESE)
    t.strictSame(languageOf(answer), { language: null, vary: null })
  }
})

t.test('the catalogue of messages', async (t) => {
  const details = Object.values(DETAILS).map((text) => (typeof text === 'function' ? text('new', 72) : text))
  const texts = [...Object.values(MESSAGES), ...details]

  t.test('has every text in both languages, and each text once', async (t) => {
    for (const { en, zh } of texts) {
      t.match(en, /^[\x20-\x7e]{10,}$/)
      t.match(zh, CHINESE, en)
    }
    for (const language of LANGUAGES) {
      t.equal(new Set(texts.map((text) => text[language])).size, texts.length)
    }
  })

  t.test('has English texts that error_description may hold (RFC 6750 §3)', async (t) => {
    for (const { en } of Object.values(MESSAGES)) t.match(en, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  })

  t.test('has a message for every rule in the schemas of requests', async (t) => {
    const rules = requestRules()

    t.ok(rules.includes('minLength'))
    for (const keyword of rules)
      t.match(ruleMessage('body', { keyword, params: {} }), { zh: /^body / }, keyword)
    t.equal(ruleMessage('body', { keyword: 'unheardOf', params: {} }), MESSAGES.invalid_request)
  })
})

type Cause = [method: string, path: string, options: CallOptions]

function languageOf({ headers }: Answer) {
  return { language: headers.get('content-language'), vary: headers.get('vary') }
}

/** Keywords that describe a value and restrict nothing. */
const ANNOTATIONS = ['description', 'default', 'example', 'examples', 'title']

/** The rules that a request can break, by the OpenAPI document. */
function requestRules(): string[] {
  const schemas = operations.flatMap(({ requestBody, parameters = [] }) => [
    ...Object.values(requestBody?.content ?? {}).map(({ schema }) => schema),
    ...parameters.map(({ schema }) => schema),
  ])
  return [...new Set(schemas.flatMap(rulesOf))].filter((rule) => !ANNOTATIONS.includes(rule))
}

function rulesOf(schema: object): string[] {
  return Object.entries(schema).flatMap(([keyword, value]) =>
    keyword === 'properties' ? Object.values<object>(value).flatMap(rulesOf) : [keyword],
  )
}
