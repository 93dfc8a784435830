import t, { type Test } from 'tap'
import { createThrottle, type Throttle } from '../../src/passwords/throttle.js'
import { ComparedTooLate, NotHashed, type Refusal, type Unavailable } from '../../src/refusals/refusal.js'
import { createMemoryAttemptCounts } from '../../src/stores/embedded/attempt-counts.js'
import { basic, build, MOBILE, PASSWORD, type Service, SPELLINGS } from '../helper.js'
import { until } from '../support/servers.js'

const WRONG = 'seven dry umbrellas'
const NEW_PASSWORD = 'eight dry umbrellas in a row'

/** Behind a gateway that forwards the address of each caller. */
const BEHIND_GATEWAY = { TRUST_PROXY: '127.0.0.1' }

const HOME = '198.51.100.7'
const ELSEWHERE = '203.0.113.9'

/** Logs in, or tries to, from an address. */
function tryLogin(
  { call }: Pick<Service, 'call'>,
  { mobile = MOBILE, password = PASSWORD, from }: { mobile?: string; password?: string; from?: string } = {},
) {
  const headers = from === undefined ? {} : { 'x-forwarded-for': from }
  return call('POST', '/login', { body: { mobile, password }, headers })
}

async function failTimes(
  t: Test,
  service: Service,
  times: number,
  attempt: { mobile?: string; from?: string } = {},
) {
  for (let failure = 0; failure < times; failure++) {
    t.equal((await tryLogin(service, { ...attempt, password: WRONG })).status, 401)
  }
}

/** Counts failures without hashing a password for each. */
async function countFailures(
  { stores }: Service,
  networks: string[],
  { times, mobile = MOBILE, maxFailures = 100 }: { times: number; mobile?: string; maxFailures?: number },
) {
  const throttle = createThrottle({ counts: stores.counts, maxFailures, windowSeconds: 900 })
  for (const network of networks)
    for (let failure = 0; failure < times; failure++)
      await throttle.prove({ account: mobile, network, isKnown: false }, async () => false)
}

t.test('failed logins from one address', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '3', LOGIN_WINDOW_SECONDS: '600' } })
  await service.addUser()

  t.test('200 after each row of failures that stays below the limit', async (t) => {
    for (let round = 0; round < 2; round++) {
      await failTimes(t, service, 2)
      t.equal((await tryLogin(service)).status, 200)
    }
  })

  t.test('429 too_many_attempts for every spelling of the mobile, 200 for the live session', async (t) => {
    const token = await service.login()
    for (const mobile of SPELLINGS.slice(1)) await failTimes(t, service, 1, { mobile })

    for (const mobile of SPELLINGS) {
      const refused = await tryLogin(service, { mobile })
      t.match(refused, { status: 429, body: { code: 429, error: 'too_many_attempts' } })
      const retryAfter = Number(refused.headers.get('retry-after'))
      t.ok(retryAfter > 0 && retryAfter <= 30, `waits ${retryAfter} s, and not for the window`)
    }
    t.equal((await service.identify(token)).status, 200)
    t.match(service.actions.at(-1), {
      event: 'login_throttled',
      mobile: '***8000',
      reason: 'too many failures',
    })
  })

  t.test('429 for an unknown mobile after as many failures', async (t) => {
    const unknown = '+8613800138777'
    await failTimes(t, service, 3, { mobile: unknown })

    t.equal((await tryLogin(service, { mobile: unknown })).status, 429)
  })
})

t.test('what a stranger can do to an owner', async (t) => {
  const service = await build(t, { env: { ...BEHIND_GATEWAY, LOGIN_MAX_FAILURES: '3' } })
  await service.addUser()
  t.equal((await tryLogin(service, { from: HOME })).status, 200)

  t.test('429 for the stranger, 200 for the owner at home and in a new place', async (t) => {
    await failTimes(t, service, 3, { from: ELSEWHERE })

    t.equal((await tryLogin(service, { from: ELSEWHERE })).status, 429)
    t.equal((await tryLogin(service, { from: HOME })).status, 200)
    t.equal((await tryLogin(service, { from: '192.0.2.33' })).status, 200)
    t.equal((await tryLogin(service, { from: ELSEWHERE })).status, 429, 'whatever the owner does')
  })

  t.test('429 for strangers everywhere after 100 failures in a row, 200 at home', async (t) => {
    await service.redisClient.flushall()
    await countFailures(service, ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'], { times: 25 })

    const refused = await tryLogin(service, { from: '192.0.2.5' })

    t.equal(refused.status, 429)
    t.match(service.actions.at(-1), { event: 'login_throttled', reason: 'only known places may try' })
    const [counts = ''] = await service.redisClient.keys('login_failures:account:*')
    t.ok((await service.redisClient.pttl(counts)) > 29 * 86_400_000, 'for a long time')
    t.equal((await tryLogin(service, { from: HOME, password: WRONG })).status, 401, 'home has its own count')
    t.equal((await tryLogin(service, { from: '192.0.2.5' })).status, 429)
    t.equal((await tryLogin(service, { from: HOME })).status, 200)
    t.equal((await tryLogin(service, { from: '192.0.2.5' })).status, 200, 'the owner has ended the row')
  })

  t.test('429 at home after LOGIN_MAX_FAILURES failures from there, even for the owner', async (t) => {
    await service.redisClient.flushall()
    await failTimes(t, service, 3, { from: HOME })

    t.equal((await tryLogin(service, { from: HOME })).status, 429)
  })
})

t.test(
  '200 for known users behind a gateway that TRUST_PROXY does not name, once others have failed',
  async (t) => {
    const service = await build(t, { env: { LOGIN_MAX_FAILURES: '2' } })
    await service.addUser()
    await service.login()
    for (let account = 0; account < 10; account++)
      await countFailures(service, ['127.0.0.1'], {
        times: 2,
        mobile: `+861380013901${account}`,
        maxFailures: 2,
      })

    t.equal(
      (await tryLogin(service, { mobile: '+8613800138222' })).status,
      429,
      'the address is at its limit',
    )
    t.equal((await tryLogin(service)).status, 200)
  },
)

t.test('429 for a network that tries many accounts', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '1' } })
  for (let account = 0; account < 10; account++)
    await failTimes(t, service, 1, { mobile: `+861380013${9000 + account}` })

  t.equal((await tryLogin(service, { mobile: '+8613800139100' })).status, 429)
})

t.test('known places', async (t) => {
  const service = await build(t, { env: BEHIND_GATEWAY })
  const userId = await service.addUser()
  const known = async () => {
    const rows =
      await service.sql`select network from login_place where user_id = ${userId} order by last_login`
    return rows.map(({ network }) => network)
  }

  t.test('known after a successful login, not after a failed one', async (t) => {
    await failTimes(t, service, 1, { from: ELSEWHERE })
    t.strictSame(await known(), [])

    await tryLogin(service, { from: HOME })

    t.strictSame(await known(), [HOME])
  })

  t.test('known as one of the last ten', async (t) => {
    const networks = Array.from({ length: 11 }, (_, index) => `192.0.2.${index}`)
    for (const network of networks) await service.stores.places.note(userId, network)

    t.strictSame(await known(), networks.slice(1))
  })

  t.test('known for 180 days', async (t) => {
    await service.sql`update login_place set last_login = now() - interval '179 days' where network = '192.0.2.4'`
    await service.sql`update login_place set last_login = now() - interval '181 days' where network = '192.0.2.5'`

    t.equal(await service.stores.places.familiarity(userId, '192.0.2.4'), 'known')
    t.equal(await service.stores.places.familiarity(userId, '192.0.2.5'), 'new')
    t.equal(await service.stores.places.familiarity(userId, '192.0.2.6'), 'noted')
  })

  t.test('new where only another user has logged in', async (t) => {
    const other = await service.addUser({ mobile: '+8613800138001' })

    t.equal(await service.stores.places.familiarity(other, '192.0.2.6'), 'new')
  })

  t.test('forgotten when the user is deleted', async (t) => {
    await service.sql`delete from user_login where user_id = ${userId}`

    t.strictSame(await known(), [])
  })
})

t.test('429 from POST /password and POST /login after failures of both together', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '2' } })
  await service.addUser()
  const token = await service.login()
  const change = (current: string) =>
    service.call('POST', '/password', { token, body: { current, new: NEW_PASSWORD } })
  t.equal((await change(WRONG)).status, 401)
  await failTimes(t, service, 1)

  t.equal((await change(PASSWORD)).status, 429)
  t.equal((await tryLogin(service)).status, 429)
  t.match(service.actions.slice(-2), [
    { event: 'password_refused', reason: 'too many failures' },
    { event: 'login_throttled', reason: 'too many failures' },
  ])
})

t.test('200 or 503, and never 429, for thirty logins of one user at once', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '2' } })
  await service.addUser()

  const answers = await Promise.all(Array.from({ length: 30 }, () => tryLogin(service)))

  const statuses = answers.map(({ status }) => status)
  t.ok(statuses.includes(200))
  t.ok(statuses.includes(503), 'two are under way at a time')
  t.strictSame(
    statuses.filter((status) => status !== 200 && status !== 503),
    [],
  )
})

t.test('an attempt that was answered 503', async (t) => {
  const claim = { account: MOBILE, network: HOME, isKnown: true }
  const start = () =>
    createThrottle({ counts: createMemoryAttemptCounts(), maxFailures: 2, windowSeconds: 900 })
  /** The slug of the refusal, or whether the password was proved. */
  const outcomeOf = (attempt: Promise<boolean>) => attempt.catch((error: Refusal) => error.slug)
  const failTwice = async (throttle: Throttle, failure: () => Unavailable) => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const outcome = await outcomeOf(throttle.prove(claim, () => Promise.reject(failure())))
      t.equal(outcome, 'temporarily_unavailable')
    }
  }

  t.test('is not counted where the password was never hashed', async (t) => {
    const throttle = start()
    await failTwice(throttle, () => new NotHashed('queue is full'))

    t.equal(await outcomeOf(throttle.prove(claim, async () => true)), true)
  })

  t.test('is counted by the result of its late comparison', async (t) => {
    for (const [late, outcome] of [
      [() => Promise.resolve(true), true],
      [() => Promise.resolve(false), 'too_many_attempts'],
      [() => Promise.reject(new Error('the thread died')), 'too_many_attempts'],
    ] as const) {
      const throttle = start()
      await failTwice(throttle, () => new ComparedTooLate(late()))

      t.equal(await outcomeOf(throttle.prove(claim, async () => true)), outcome)
    }
  })
})

t.test('an operator ends the throttling of a user', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '2' } })
  const userId = await service.addUser()
  const authorization = basic(await service.addClient(['users']))
  const administer = (method: string, path: string, body: unknown) =>
    service.call(method, `/users/${userId}${path}`, { headers: { authorization }, body })
  const setPassword = (password: string) => administer('PUT', '/password', { password })
  const lock = async (t: Test) => {
    await failTimes(t, service, 2)
    t.equal((await tryLogin(service)).status, 429)
  }

  t.test('200 after PUT /users/{id}/password of a throttled user', async (t) => {
    await lock(t)

    t.equal((await setPassword(NEW_PASSWORD)).status, 200)

    t.equal((await tryLogin(service, { password: NEW_PASSWORD })).status, 200)
  })

  t.test('200 after a throttled user was disabled and enabled', async (t) => {
    await lock(t)

    for (const status of ['disabled', 'active'])
      t.equal((await administer('PATCH', '', { status })).status, 200, status)

    t.equal((await tryLogin(service, { password: NEW_PASSWORD })).status, 200)
  })

  t.test('200 from POST /password after PATCH /users/{id} of a throttled user', async (t) => {
    const token = await service.login({ password: NEW_PASSWORD })
    const change = () =>
      service.call('POST', '/password', { token, body: { current: NEW_PASSWORD, new: `${NEW_PASSWORD}!` } })
    await lock(t)
    t.equal((await change()).status, 429)

    t.equal((await administer('PATCH', '', { status: 'active' })).status, 200)

    t.equal((await change()).status, 200)
  })
})

t.test('wrong credentials of service clients', async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '1' } })
  const client = await service.addClient(['introspect'])
  const introspect = (authorization?: string) =>
    service.call('POST', '/introspect', {
      body: 'token=x',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(authorization !== undefined && { authorization }),
      },
    })
  const wrong = basic({ ...client, secret: 'wrong' })

  t.test('401 with one action that names the reason, for each kind of wrong credentials', async (t) => {
    for (const [authorization, reason] of [
      [undefined, 'no credentials'],
      ['Basic !', 'malformed credentials'],
      ['Bearer x', 'malformed credentials'],
      [basic({ name: 'nobody', secret: 'x' }), 'unknown client'],
      [wrong, 'wrong secret'],
    ] as const) {
      t.equal((await introspect(authorization)).status, 401)
      t.match(service.actions.at(-1), { event: 'client_refused', reason, ip: '127.0.0.1' })
    }
  })

  t.test('429 after too many wrong credentials, 200 for right ones from the same address', async (t) => {
    const statuses = new Map<number, number>()
    for (let attempt = 0; attempt < 30; attempt++) {
      const { status } = await introspect(wrong)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }

    t.equal(statuses.get(401), 6, 'ten with the four of before')
    t.equal(statuses.get(429), 24)
    const refused = await introspect(wrong)
    t.match(refused.body, { error: 'too_many_attempts' })
    t.ok(Number(refused.headers.get('retry-after')) > 0)
    t.match(service.actions.at(-1), { event: 'client_throttled', reason: 'too many failures' })
    t.equal((await introspect(basic(client))).status, 200)
    const added = basic(await service.addClient(['introspect']))
    // The list of service clients is read at most once a second.
    await until(async () => {
      const { status } = await introspect(added)
      if (status !== 200) throw new Error(`${status} for a client that has been added`)
    })
  })

  t.test('401 with a challenge, not 429, without credentials', async (t) => {
    const { status, headers } = await introspect()

    t.equal(status, 401)
    t.match(headers.get('www-authenticate'), /^Basic /)
  })
})
