import assert from 'node:assert'
import type { Test } from 'tap'
import { until } from '../servers.js'
import { ask, bearer } from './client.js'
import type { Gateway } from './gateway.js'
import type { Platform } from './platform.js'

/** The status that the client gets in each outage. */
export interface OutageAnswers {
  /** The service does not answer in time. */
  hung: number
  /** The service answers 503. */
  stores: number
  /** Nothing listens at the address of the service. */
  gone: number
}

/** Longer than any example waits for the service. */
const LIMIT_MS = 4000

/** Without an answer about a token the app is not reached, and the client gets no 401. */
export async function checkOutages(t: Test, platform: Platform, { url }: Gateway, answers: OutageAnswers) {
  const { app, service, line } = platform
  const token = await platform.logIn()

  await t.test(`${answers.hung} in time while the service hangs, and 200 once it goes on`, async (t) => {
    process.kill(service.pid, 'SIGSTOP')
    await checkAway(t, answers.hung).finally(() => process.kill(service.pid, 'SIGCONT'))
    await until(async () => {
      assert.equal((await ask(url, 'GET', '/private/a', { headers: bearer(token) })).status, 200)
    })
  })

  await t.test(`${answers.stores} while Redis is away`, async (t) => {
    await platform.backends.redis.stop()
    await checkAway(t, answers.stores)
  })

  await t.test(`${answers.gone} while the service is away`, async (t) => {
    await service.stop('SIGKILL')
    line.close()
    await checkAway(t, answers.gone)
  })

  async function checkAway(t: Test, status: number) {
    const before = app.seen.length
    for (const headers of [bearer(token), { ...bearer(token), 'X-User-Id': '1' }]) {
      const started = performance.now()
      const answer = await ask(url, 'GET', '/private/a', { headers })
      t.equal(answer.status, status)
      t.notOk(answer.headers['www-authenticate'])
      t.ok(performance.now() - started < LIMIT_MS)
    }
    t.equal(app.seen.length, before, 'the app is not reached')
    t.equal((await ask(url, 'GET', '/public/a')).status, 200, 'what is public needs nobody')
  }
}
