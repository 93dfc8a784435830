import { availableParallelism } from 'node:os'
import t, { type Test } from 'tap'
import { Refusal, Unavailable } from '../src/errors.js'
import { createPasswords, requireHashable, requireStrong } from '../src/services/passwords.js'
import { corpusJson, needsCorpora } from './support/corpora.js'

const PASSWORD = 'seven wet umbrellas'

const SOMEBODY = { account: '+8613800138000', network: '192.0.2.1' }

/** PASSWORD at several costs. */
const AT_COST_4 = '$2b$04$0RpIOqErL1Vfm7oHdLPg3e6E7JV16QY32b6.KEewN8W.fIsJMoJT6'
const AT_COST_10 = '$2b$10$ranq/8GerTEebPRDWhmvbuSrPTmAWvEwXeQzBUCvjAY1ZtTwQorHi'

/** What may stand in a password column and is no bcrypt hash that this service computes. */
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

t.test('comparing', async (t) => {
  const passwords = open(t, 4)

  t.test('true for the vectors of pyca/bcrypt, false for another password', needsCorpora(), async (t) => {
    const vectors =
      corpusJson<{ password_base64: string; password_utf8: string | null; hash: string }[]>(
        'bcrypt/pyca-vectors.json',
      )
    // The others are not text, and no password of a JSON body can be them.
    const texts = vectors.filter(({ password_utf8: text }) => text && Buffer.byteLength(text) <= 72)

    for (const { password_utf8: password, hash } of texts) {
      t.equal(await passwords.matches(password ?? '', hash, SOMEBODY), true, hash)
      t.equal(await passwords.matches(`${password} `, hash, SOMEBODY), false, hash)
    }
    t.ok(texts.length >= 20)
  })

  t.test('true for $2a$, $2b$ and $2y$, which differ in old bugs only', async (t) => {
    for (const version of ['$2a$', '$2b$', '$2y$']) {
      t.equal(await passwords.matches(PASSWORD, AT_COST_4.replace('$2b$', version), SOMEBODY), true, version)
    }
  })

  t.test('false, and no error, for what is not a hash', async (t) => {
    for (const stored of UNREADABLE) {
      t.equal(await passwords.matches(PASSWORD, stored, SOMEBODY), false, JSON.stringify(stored.slice(0, 70)))
    }
    t.equal(await passwords.matches(PASSWORD, undefined, SOMEBODY), false)
    t.equal(await passwords.matches('', '', SOMEBODY), false)
    t.equal(await passwords.matches('', undefined, SOMEBODY), false)
  })

  t.test('false for every other spelling: each byte counts, and so does the case', async (t) => {
    const long = 'é'.repeat(36)
    const hash = await passwords.hash(long, SOMEBODY)

    t.equal(await passwords.matches(long, hash, SOMEBODY), true)
    t.equal(await passwords.matches(long.normalize('NFD').slice(0, 36), hash, SOMEBODY), false)
    t.equal(await passwords.matches(`${long.slice(0, -1)}è`, hash, SOMEBODY), false)
    t.equal(await passwords.matches(long.slice(0, -1), hash, SOMEBODY), false)
    for (const other of [`${PASSWORD} `, ` ${PASSWORD}`, PASSWORD.toUpperCase(), PASSWORD.slice(0, -1)]) {
      t.equal(await passwords.matches(other, AT_COST_4, SOMEBODY), false, other)
    }
  })

  t.test('a new hash has the configured cost, its own salt, and matches', async (t) => {
    const [one, other] = await Promise.all([
      passwords.hash(PASSWORD, SOMEBODY),
      passwords.hash(PASSWORD, SOMEBODY),
    ])

    t.match(one, /^\$2b\$04\$[./A-Za-z0-9]{53}$/)
    t.not(one, other)
    t.equal(await passwords.matches(PASSWORD, one, SOMEBODY), true)
  })
})

t.test('a hash is outdated when it is cheaper than the setting asks for', async (t) => {
  const passwords = open(t, 10)

  t.equal(passwords.isOutdated(AT_COST_4), true)
  t.equal(passwords.isOutdated(AT_COST_10), false)
  t.equal(passwords.isOutdated(AT_COST_10.replace('$10$', '$12$')), false)
})

t.test('what bcrypt would not read in full', async (t) => {
  const refused = (check: typeof requireHashable, password: string) => {
    try {
      check(password, 'current')
      return undefined
    } catch (error) {
      return error instanceof Refusal ? error.bodyIn('en') : error
    }
  }

  t.test('is refused: more than 72 bytes, however few characters, and NUL', async (t) => {
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

  t.test('is taken up to exactly 72 bytes', async (t) => {
    for (const password of ['x'.repeat(72), '☂'.repeat(24), '🌂'.repeat(18), 'é'.repeat(36)]) {
      t.equal(refused(requireHashable, password), undefined)
      t.equal(refused(requireStrong, password), undefined)
    }
    t.equal(refused(requireHashable, 'x'), undefined)
  })

  t.test('a new password has 15 characters or more, of any kind', async (t) => {
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

t.test('refusing takes the work of one comparison at the configured cost', async (t) => {
  const passwords = open(t, 10)
  const situations: Record<string, string | undefined> = {
    'a wrong password': AT_COST_10,
    'no such user': undefined,
    'an empty hash': '',
    'an unreadable hash': 'garbage',
    'a hash of the $2x$ kind': AT_COST_10.replace('$2b$', '$2x$'),
    'a hash of cost 99': AT_COST_10.replace('$10$', '$99$'),
    'a truncated hash': AT_COST_10.slice(0, -1),
    'a hash of cost 4': AT_COST_4,
    'a hash of cost 9': AT_COST_10.replace('$10$', '$09$'),
  }
  const taken = new Map(Object.keys(situations).map((name) => [name, [] as number[]]))

  // In turns, so that whatever else the machine does falls on all of them alike.
  for (let round = 0; round < 7; round++) {
    for (const [name, stored] of Object.entries(situations)) {
      const started = performance.now()
      await passwords.matches('not the password', stored, SOMEBODY)
      taken.get(name)?.push(performance.now() - started)
    }
  }

  // The fastest of each: a busy machine adds to some of them, but takes from none.
  const base = Math.min(...(taken.get('a wrong password') ?? []))
  for (const [name, times] of taken) {
    const share = Math.min(...times) / base
    t.ok(share > 0.5 && share < 2, `${name}: ${share.toFixed(2)} of it`)
  }
})

t.test('more work than threads', async (t) => {
  const passwords = open(t, 10)
  await passwords.matches('warm', undefined, SOMEBODY)

  t.test('is refused at once beyond about a second of it, and the rest is done in its turn', async (t) => {
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => outcomeOf(passwords)))

    const refused = outcomes.filter(({ refused }) => refused)
    const done = outcomes.filter(({ refused }) => !refused)
    t.ok(refused.length > 50, `${refused.length} refused`)
    t.ok(done.length > 2, `${done.length} done`)
    t.ok(Math.max(...refused.map(({ ms }) => ms)) < 200, 'at once')
    // A second of work at about 85 ms each, and the one at work, for each thread.
    const threads = Math.max(1, availableParallelism() - 1)
    t.ok(done.length <= 16 * threads, `${done.length} were let in`)
  })

  t.test('is taken again once the queue is empty', async (t) => {
    const matches = await passwords.matches(PASSWORD, AT_COST_10, SOMEBODY)

    t.equal(matches, true)
  })
})

t.test('the event loop goes on while passwords are hashed', async (t) => {
  const passwords = open(t, 10)
  await passwords.matches('warm', undefined, SOMEBODY)
  let ticks = 0
  const ticking = setInterval(() => ticks++, 5)
  const started = performance.now()

  await Promise.all(Array.from({ length: 5 }, () => passwords.matches('x', AT_COST_10, SOMEBODY)))
  clearInterval(ticking)

  const taken = performance.now() - started
  t.ok(ticks > taken / 20, `${ticks} ticks in ${Math.round(taken)} ms`)
})

t.test('closing refuses what is waiting, as unavailable', async (t) => {
  const passwords = createPasswords({ cost: 10 })
  const waiting = Array.from({ length: 5 }, () => outcomeOf(passwords))

  await passwords.close()

  const outcomes = await Promise.all(waiting)
  t.ok(outcomes.every(({ refused }) => refused))
  t.ok(Math.max(...outcomes.map(({ ms }) => ms)) < 1000)
})

/** Compares once; only Unavailable counts as a refusal. */
async function outcomeOf({ matches }: ReturnType<typeof createPasswords>) {
  const started = performance.now()
  const refused = await matches('x', AT_COST_10, SOMEBODY).then(
    () => false,
    (error) => {
      if (error instanceof Unavailable) return true
      throw error
    },
  )
  return { refused, ms: performance.now() - started }
}
