import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { AttemptCounts, AttemptLimits } from '../../src/stores/attempt-counts.js'
import { createMemoryAttemptCounts } from '../../src/stores/embedded/attempt-counts.js'
import { createRedisAttemptCounts } from '../../src/stores/redis/attempt-counts.js'
import { silent } from '../helper.js'
import { startRedis, until } from '../support/servers.js'

/** Waits that are too long to pass within a test. */
const LONG: AttemptLimits = { free: 3, firstWaitMs: 20_000, longestWaitMs: 60_000 }

t.test('attempt counts in Redis', async (t) => {
  const server = await startRedis()
  const redis = new Redis(server.url)
  t.teardown(async () => {
    redis.disconnect()
    await server.stop()
  })

  await behaves(t, createRedisAttemptCounts({ redis, log: silent() }))

  t.test('sets an expiry for every key', async (t) => {
    const keys = await redis.keys('*')
    t.ok(keys.length > 5)
    for (const key of keys) {
      t.match(key, /^login_failures:/)
      t.ok((await redis.pttl(key)) > 0, key)
    }
  })

  t.test('takes an attempt after Redis has forgotten the script', async (t) => {
    const counts = createRedisAttemptCounts({ redis, log: silent() })
    await redis.script('FLUSH')

    t.match(await counts.take('flushed', 'a', LONG), { verdict: 'taken' })
  })
})

t.test('attempt counts in memory', async (t) => {
  await behaves(t, createMemoryAttemptCounts())
})

async function behaves(t: Test, counts: AttemptCounts) {
  const fail = async (key: string, counter: string, limits: AttemptLimits) => {
    t.match(await counts.take(key, counter, limits), { verdict: 'taken' })
    await counts.fail(key, counter, limits)
  }

  t.test('answers busy while as many are under way as may fail, wait once they have failed', async (t) => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => counts.take('flood', 'a', LONG)))

    t.equal(answers.filter(({ verdict }) => verdict === 'taken').length, 3)
    t.strictSame(
      answers.filter(({ verdict }) => verdict !== 'taken'),
      Array(7).fill({ verdict: 'busy' }),
    )
    await Promise.all([1, 2, 3].map(() => counts.fail('flood', 'a', LONG)))
    const refused = await counts.take('flood', 'a', LONG)
    t.match(refused, { verdict: 'wait' })
    t.ok('waitMs' in refused && refused.waitMs > 15_000 && refused.waitMs <= 20_000)
  })

  t.test('doubles each wait, up to the longest', async (t) => {
    const limits = { free: 2, firstWaitMs: 200, longestWaitMs: 500 }
    const waits: number[] = []
    for (let failures = 0; failures < 5; failures++) {
      await until(async () => {
        const { verdict } = await counts.take('growing', 'a', limits)
        if (verdict !== 'taken') throw new Error(verdict)
      })
      await counts.fail('growing', 'a', limits)
      const next = await counts.take('growing', 'a', limits)
      if (next.verdict === 'taken') await counts.giveBack('growing', 'a', limits)
      else if ('waitMs' in next) waits.push(next.waitMs)
    }

    t.equal(waits.length, 4, 'none before the second failure')
    const most = [200, 400, 500, 500]
    for (const [index, ms] of waits.entries()) t.ok(ms <= (most[index] ?? 0), `wait ${index}: ${ms} ms`)
    t.ok((waits[1] ?? 0) > 200 && (waits[2] ?? 0) > 400, `${waits}`)
  })

  t.test('allows one attempt at a time after a wait', async (t) => {
    const limits = { free: 1, firstWaitMs: 50, longestWaitMs: 10_000 }
    await fail('single', 'a', limits)
    await until(async () => {
      if ((await counts.take('single', 'a', limits)).verdict !== 'taken') throw new Error('waits')
    })

    t.match(await counts.take('single', 'a', limits), { verdict: 'busy' })
  })

  t.test('allows another attempt for each that is given back', async (t) => {
    for (let round = 0; round < 20; round++) {
      t.match(await counts.take('shed', 'a', LONG), { verdict: 'taken' })
      await counts.giveBack('shed', 'a', LONG)
    }
  })

  t.test('forgets the failures of one counter after its success, and no other’s', async (t) => {
    for (const counter of ['a', 'a', 'b', 'b', 'b']) await fail('two', counter, LONG)
    await counts.succeed('two', 'a')

    await fail('two', 'a', LONG)
    await fail('two', 'a', LONG)
    t.match(await counts.take('two', 'a', LONG), { verdict: 'taken' })
    t.match(await counts.take('two', 'b', LONG), { verdict: 'wait' })
  })

  t.test('forgets failures when the longest wait has passed without another', async (t) => {
    const limits = { free: 2, firstWaitMs: 10, longestWaitMs: 60 }
    await fail('old', 'a', limits)
    await fail('old', 'a', limits)
    await until(async () => {
      const taken = await Promise.all([counts.take('old', 'a', limits), counts.take('old', 'a', limits)])
      for (const { verdict } of taken) if (verdict === 'taken') await counts.giveBack('old', 'a', limits)
      if (taken.some(({ verdict }) => verdict !== 'taken')) throw new Error('remembered')
    })
    t.pass()
  })

  t.test('answers closed after mostInRow failures in a row over all counters', async (t) => {
    const limits = { free: 2, firstWaitMs: 5, longestWaitMs: 10, mostInRow: 12 }
    for (let failures = 0; failures < 12; failures++) await fail('row', `counter ${failures}`, limits)

    const refused = await counts.take('row', 'another', limits)

    t.match(refused, { verdict: 'closed' })
    t.ok('waitMs' in refused && refused.waitMs > 29 * 86_400_000)
    const unbounded = { ...limits, mostInRow: Number.POSITIVE_INFINITY }
    t.match(
      await counts.take('row', 'known', unbounded),
      { verdict: 'taken' },
      'but not for who is not bounded',
    )
    t.match(await counts.take('row', 'another', limits), { verdict: 'closed' })
    await counts.succeed('row', 'known')
    t.match(await counts.take('row', 'another', limits), { verdict: 'taken' }, 'a success ends the row')
  })

  t.test('allows at most mostInRow attempts at the same time', async (t) => {
    const limits = { ...LONG, mostInRow: 7 }
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, counter) => counts.take('rush', `counter ${counter}`, limits)),
    )

    t.equal(answers.filter(({ verdict }) => verdict === 'taken').length, 7)
  })

  t.test('allows an attempt of every counter once their key is forgotten', async (t) => {
    const limits = { ...LONG, free: 1, mostInRow: 2 }
    await fail('locked', 'a', limits)
    await fail('locked', 'b', limits)
    t.match(await counts.take('locked', 'c', limits), { verdict: 'closed' })

    await counts.forget('locked')

    for (const counter of ['a', 'b'])
      t.match(await counts.take('locked', counter, limits), { verdict: 'taken' })
  })
}
