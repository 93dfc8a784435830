import bcrypt from 'bcryptjs'
import t from 'tap'
import { build, MOBILE, PASSWORD } from './helper.js'

const SAMPLES = 40

t.test('a refused login takes the same time for every reason', { timeout: 120_000 }, async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '100' } })
  const mobiles = [1, 2, 3].map((last) => `+861380013810${last}`) as [string, string, string]
  await service.addUser()
  await service.addUser({ mobile: mobiles[0], status: 'disabled' })
  await service.addUser({ mobile: mobiles[1], hash: 'unreadable' })
  await service.addUser({ mobile: mobiles[2], hash: bcrypt.hashSync(PASSWORD, 8) })
  const attempts = {
    'wrong password': { mobile: MOBILE, password: 'wrong umbrella' },
    'unknown mobile': { mobile: '+8613800138999', password: PASSWORD },
    'disabled account, right password': { mobile: mobiles[0], password: PASSWORD },
    'unreadable hash': { mobile: mobiles[1], password: PASSWORD },
    'hash of lower cost': { mobile: mobiles[2], password: 'wrong umbrella' },
  }
  const times = new Map(Object.keys(attempts).map((name) => [name, [] as number[]]))

  // In turn, so that whatever else the machine does falls on all of them alike.
  for (let sample = 0; sample < SAMPLES; sample++) {
    for (const [name, body] of Object.entries(attempts)) {
      const started = performance.now()
      const { status } = await service.call('POST', '/login', { body })
      times.get(name)?.push(performance.now() - started)
      if (status !== 401) t.fail(`${name}: ${status}`)
    }
  }

  const usual = undisturbed(times.get('wrong password') ?? [])
  for (const [name, samples] of times) {
    const ratio = undisturbed(samples) / usual
    t.ok(
      Math.abs(ratio - 1) < 0.1,
      `${name}: ${undisturbed(samples).toFixed(1)} ms, ratio ${ratio.toFixed(3)}`,
    )
  }
})

/** The lower quartile: what else the machine does only ever adds to a time. */
function undisturbed(samples: number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 2] ?? Number.NaN
}
