import { availableParallelism } from 'node:os'
import t, { type Test } from 'tap'
import { envelopeOf } from '../../src/http/refusal-answer.js'
import { requireHashable, requireStrong } from '../../src/passwords/password-length.js'
import { createPasswords, type Passwords } from '../../src/passwords/passwords.js'
import { NotHashed, Refusal, Unavailable } from '../../src/refusals/refusal.js'
import { corpusJson, needsCorpora } from '../support/corpora.js'

const PASSWORD = 'seven wet umbrellas'

const SOMEBODY = { account: '+8613800138000', network: '192.0.2.1' }

/** A deadline after the end of these tests. */
const LATER = performance.now() + 3_600_000

/** PASSWORD at several costs. */
const AT_COST_4 = '$2b$04$0RpIOqErL1Vfm7oHdLPg3e6E7JV16QY32b6.KEewN8W.fIsJMoJT6'
const AT_COST_10 = '$2b$10$ranq/8GerTEebPRDWhmvbuSrPTmAWvEwXeQzBUCvjAY1ZtTwQorHi'

/** Values of a password column that are no bcrypt hash, or none that this service computes. */
const UNREADABLE = [
  '',
  ' ',
  'garbage',
  PASSWORD,
  'null',
  '$2b$',
  '$2b$10$',
  AT_COST_10.slice(0, -1),
  `${AT_COST_10}x`,
  ` ${AT_COST_10}`,
  `${AT_COST_10}\n`,
  AT_COST_10.replace('$2b$', '$2x$'),
  AT_COST_10.replace('$2b$', '$2$'),
  AT_COST_10.replace('$2b$', '$2B$'),
  AT_COST_10.replace('$2b$', '$3b$'),
  ...['99', '32', '31', '16', '03', '00', '-1', '1e', '1', '100'].map((cost) =>
    AT_COST_10.replace('$10$', `$${cost}$`),
  ),
  AT_COST_10.replace('/', '!'),
  AT_COST_10.replace('/', 'é'),
  AT_COST_10.replace('/', '\0'),
  '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG',
  '{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
  '5f4dcc3b5aa765d61d8327deb882cf99',
  'x'.repeat(100_000),
]

function open(t: Test, cost: number) {
  const passwords = createPasswords({ cost })
  t.teardown(passwords.close)
  return passwords
}

t.test('comparing a password', async (t) => {
  const passwords = open(t, 4)

  t.test('true for the vectors of pyca/bcrypt, false for another password', needsCorpora(), async (t) => {
    const vectors =
      corpusJson<{ password_base64: string; password_utf8: string | null; hash: string }[]>(
        'bcrypt/pyca-vectors.json',
      )
    // The other vectors are not text, so no JSON body can hold them.
    const texts = vectors.filter(({ password_utf8: text }) => text && Buffer.byteLength(text) <= 72)

    for (const { password_utf8: password, hash } of texts) {
      t.equal(await passwords.matches(password ?? '', hash, SOMEBODY, LATER), true, hash)
      t.equal(await passwords.matches(`${password} `, hash, SOMEBODY, LATER), false, hash)
    }
    t.ok(texts.length >= 20)
  })

  t.test('true for $2a$, $2b$ and $2y$, which differ in old bugs only', async (t) => {
    for (const version of ['$2a$', '$2b$', '$2y$']) {
      t.equal(
        await passwords.matches(PASSWORD, AT_COST_4.replace('$2b$', version), SOMEBODY, LATER),
        true,
        version,
      )
    }
  })

  t.test('false, without an error, for a value that is no hash', async (t) => {
    for (const stored of UNREADABLE) {
      t.equal(
        await passwords.matches(PASSWORD, stored, SOMEBODY, LATER),
        false,
        JSON.stringify(stored.slice(0, 70)),
      )
    }
    t.equal(await passwords.matches(PASSWORD, undefined, SOMEBODY, LATER), false)
    t.equal(await passwords.matches('', '', SOMEBODY, LATER), false)
    t.equal(await passwords.matches('', undefined, SOMEBODY, LATER), false)
  })

  t.test('false for a password that differs in one byte or in case', async (t) => {
    const long = 'é'.repeat(36)
    const hash = await passwords.hash(long, SOMEBODY, LATER)

    t.equal(await passwords.matches(long, hash, SOMEBODY, LATER), true)
    t.equal(await passwords.matches(long.normalize('NFD').slice(0, 36), hash, SOMEBODY, LATER), false)
    t.equal(await passwords.matches(`${long.slice(0, -1)}è`, hash, SOMEBODY, LATER), false)
    t.equal(await passwords.matches(long.slice(0, -1), hash, SOMEBODY, LATER), false)
    for (const other of [`${PASSWORD} `, ` ${PASSWORD}`, PASSWORD.toUpperCase(), PASSWORD.slice(0, -1)]) {
      t.equal(await passwords.matches(other, AT_COST_4, SOMEBODY, LATER), false, other)
    }
  })

  t.test('true for a new hash, which has the configured cost and its own salt', async (t) => {
    const [one, other] = await Promise.all([
      passwords.hash(PASSWORD, SOMEBODY, LATER),
      passwords.hash(PASSWORD, SOMEBODY, LATER),
    ])

    t.match(one, /^\$2b\$04\$[./A-Za-z0-9]{53}$/)
    t.not(one, other)
    t.equal(await passwords.matches(PASSWORD, one, SOMEBODY, LATER), true)
  })
})

t.test('calls a hash outdated whose cost is below the setting', async (t) => {
  const passwords = open(t, 10)

  t.equal(passwords.isOutdated(AT_COST_4), true)
  t.equal(passwords.isOutdated(AT_COST_10), false)
  t.equal(passwords.isOutdated(AT_COST_10.replace('$10$', '$12$')), false)
})

t.test('the length of a password', async (t) => {
  const refused = (check: typeof requireHashable, password: string) => {
    try {
      check(password, 'current')
      return undefined
    } catch (error) {
      return error instanceof Refusal ? envelopeOf(error, 'en') : error
    }
  }

  t.test('400 for more than 72 bytes, however few characters, and for a NUL', async (t) => {
    const tooLong = { code: 400, error: 'invalid_request', msg: 'current is longer than 72 bytes' }
    const withNul = { code: 400, error: 'invalid_request', msg: 'current holds a NUL character' }

    for (const check of [requireHashable, requireStrong]) {
      t.strictSame(refused(check, 'x'.repeat(73)), tooLong)
      t.strictSame(refused(check, '☂'.repeat(25)), tooLong)
      t.strictSame(refused(check, '🌂'.repeat(19)), tooLong)
      t.strictSame(refused(check, `${'é'.repeat(36)}x`), tooLong)
      t.strictSame(refused(check, `${PASSWORD}\0`), withNul)
      t.strictSame(refused(check, `\0${PASSWORD}`), withNul)
    }
    t.strictSame(refused(requireHashable, '\0'), withNul)
  })

  t.test('accepts up to exactly 72 bytes', async (t) => {
    for (const password of ['x'.repeat(72), '☂'.repeat(24), '🌂'.repeat(18), 'é'.repeat(36)]) {
      t.equal(refused(requireHashable, password), undefined)
      t.equal(refused(requireStrong, password), undefined)
    }
    t.equal(refused(requireHashable, 'x'), undefined)
  })

  t.test('400 for a new password of fewer than 15 characters, of any kind', async (t) => {
    t.match(refused(requireStrong, 'x'.repeat(14)), {
      code: 400,
      error: 'invalid_request',
      msg: /^current is shorter/,
    })
    t.match(refused(requireStrong, '🌂'.repeat(14)), { code: 400 }, 'a character is not a UTF-16 unit')
    t.equal(refused(requireStrong, 'x'.repeat(15)), undefined)
    t.equal(refused(requireStrong, ' '.repeat(15)), undefined)
    t.equal(refused(requireStrong, '雨'.repeat(15)), undefined)
  })
})

t.test('refuses with the CPU time of one comparison at the highest cost in use', async (t) => {
  const passwords = open(t, 9)
  passwords.expectCosts([4, 10])
  const situations: Record<string, string | undefined> = {
    'a hash of the highest cost': AT_COST_10,
    'no such user': undefined,
    'an empty hash': '',
    'an unreadable hash': 'garbage',
    'a hash of the $2x$ kind': AT_COST_10.replace('$2b$', '$2x$'),
    'a hash of cost 99': AT_COST_10.replace('$10$', '$99$'),
    'a truncated hash': AT_COST_10.slice(0, -1),
    'a hash of cost 4': AT_COST_4,
    'a hash of the setting’s cost': AT_COST_10.replace('$10$', '$09$'),
    'a hash of cost 8': AT_COST_10.replace('$10$', '$08$'),
  }
  const taken = new Map(Object.keys(situations).map((name) => [name, [] as number[]]))

  // In turns, so that other load on the machine affects all of them alike.
  for (let round = 0; round < 7; round++) {
    for (const [name, stored] of Object.entries(situations)) {
      taken.get(name)?.push(await msToRefuse(passwords, stored))
    }
  }

  const base = medianOf(taken.get('a hash of the highest cost') ?? [])
  for (const [name, times] of taken) {
    const share = medianOf(times) / base
    t.ok(share > 0.8 && share < 1.25, `${name}: ${share.toFixed(2)} of it`)
  }
})

t.test('the costs in use', async (t) => {
  const passwords = open(t, 9)
  const msToRefuseNobody = () => usualOf(() => msToRefuse(passwords, undefined))
  const atSetting = await msToRefuseNobody()

  t.test('include those that a comparison has met', async (t) => {
    await msToRefuse(passwords, AT_COST_10)

    const share = (await msToRefuseNobody()) / atSetting
    t.ok(share > 1.5 && share < 2.7, `${share.toFixed(2)} times as long`)
  })

  t.test('exclude those whose comparison takes more than a second, and invalid ones', async (t) => {
    passwords.expectCosts([15, 16, 31, 99, 0, Number.NaN])

    const share = (await msToRefuseNobody()) / atSetting
    t.ok(share > 1.5 && share < 2.7, `${share.toFixed(2)} times as long`)
  })

  t.test('do not slow down a right password', async (t) => {
    const share = (await usualOf(() => msToCompare(passwords, PASSWORD, AT_COST_4))) / atSetting
    t.ok(share < 0.5, `${share.toFixed(2)} times as long`)
  })
})

t.test('more work than threads', async (t) => {
  const passwords = open(t, 10)
  const threads = Math.max(1, availableParallelism() - 1)
  const perComparison = await usualOf(() => msToRefuse(passwords, undefined))

  t.test('is refused at once beyond about a second of it, and the rest is done in turn', async (t) => {
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => outcomeOf(passwords)))

    const refused = outcomes.filter(({ error }) => error)
    const done = outcomes.filter(({ error }) => !error)
    t.ok(refused.length > 50, `${refused.length} refused`)
    t.ok(done.length > 2, `${done.length} done`)
    t.ok(Math.max(...refused.map(({ ms }) => ms)) < Math.min(...done.map(({ ms }) => ms)), 'at once')
    // For each thread about a second of work, and the comparison that runs.
    t.ok(done.length <= 16 * threads, `${done.length} were let in`)
  })

  t.test('is shed with NotHashed to make room for others', async (t) => {
    const flood = Array.from({ length: 40 * threads }, () => outcomeOf(passwords))
    let done = 0
    for (const outcome of flood) outcome.then(({ error }) => error ?? done++)
    const other = { account: '+8613800138001', network: '198.51.100.7' }

    passwords.keepRoom(other)()
    const { error } = await outcomeOf(passwords, { claimant: other })

    t.equal(error, undefined)
    t.ok(done <= 2 * threads, `after ${done} of the flood`)
    for (const { error } of await Promise.all(flood)) if (error) t.type(error, NotHashed)
  })

  t.test('is refused before its other work where those before it will fill the queue', async (t) => {
    const kept: (() => void)[] = []
    const keep = () => kept.push(passwords.keepRoom(SOMEBODY))
    await t.rejects(
      async () => {
        for (let count = 0; count < 200; count++) keep()
      },
      { message: /try again/ },
    )
    t.ok(kept.length >= threads && kept.length <= 17 * threads, `${kept.length} were promised room`)

    const other = { account: '+8613800138001', network: '198.51.100.7' }
    passwords.keepRoom(other)()
    for (const giveBack of kept) giveBack()
    passwords.keepRoom(SOMEBODY)()
  })

  t.test('is not begun after its deadline', async (t) => {
    const before = cpuMs()
    // One comparison per thread begins, and the others wait.
    const begun = Array.from({ length: threads }, () => outcomeOf(passwords, { ms: 10 }))
    const waiting = Array.from({ length: 3 * threads }, () => outcomeOf(passwords, { ms: 10 }))

    for (const { error } of await Promise.all(waiting)) t.type(error, NotHashed, 'it had not begun')
    for (const { error } of await Promise.all(begun)) {
      t.type(error, Unavailable)
      t.notOk(error instanceof NotHashed, 'it had begun')
    }
    await outcomeOf(passwords)
    const comparisons = (cpuMs() - before) / perComparison
    t.ok(comparisons < threads + 2, `${comparisons.toFixed(1)} comparisons were made`)
  })

  t.test('is accepted again once the queue is empty', async (t) => {
    const matches = await passwords.matches(PASSWORD, AT_COST_10, SOMEBODY, LATER)

    t.equal(matches, true)
  })
})

t.test('keeps the event loop running while it hashes', async (t) => {
  const passwords = open(t, 10)
  await passwords.matches('warm', undefined, SOMEBODY, LATER)
  let ticks = 0
  const ticking = setInterval(() => ticks++, 5)
  const started = performance.now()

  await Promise.all(Array.from({ length: 5 }, () => passwords.matches('x', AT_COST_10, SOMEBODY, LATER)))
  clearInterval(ticking)

  const taken = performance.now() - started
  t.ok(ticks > taken / 20, `${ticks} ticks in ${Math.round(taken)} ms`)
})

t.test('rejects waiting comparisons as unavailable on close', async (t) => {
  const passwords = createPasswords({ cost: 10 })
  const waiting = Array.from({ length: 5 }, () => outcomeOf(passwords))

  await passwords.close()

  const outcomes = await Promise.all([...waiting, outcomeOf(passwords)])
  t.ok(outcomes.every(({ error }) => error))
  t.type(outcomes.at(-1)?.error, NotHashed)
  t.ok(Math.max(...outcomes.map(({ ms }) => ms)) < 1000)
})

/** Compares once. Gives an Unavailable as the outcome, and throws any other error. */
async function outcomeOf({ matches }: Passwords, { claimant = SOMEBODY, ms = 60_000 } = {}) {
  const started = performance.now()
  const error = await matches('x', AT_COST_10, claimant, started + ms).then(
    () => undefined,
    (error) => {
      if (error instanceof Unavailable) return error
      throw error
    },
  )
  return { error, ms: performance.now() - started }
}

/** CPU time in ms of one comparison, which a busy machine does not prolong. */
async function msToCompare({ matches }: Passwords, password: string, stored: string | undefined) {
  const before = cpuMs()
  await matches(password, stored, SOMEBODY, LATER)
  return cpuMs() - before
}

function msToRefuse(passwords: Passwords, stored: string | undefined) {
  return msToCompare(passwords, 'not the password', stored)
}

/** CPU time in ms that this process has used, with all its threads. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The median of five measurements. */
async function usualOf(measure: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 5; round++) times.push(await measure())
  return medianOf(times)
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN
}
