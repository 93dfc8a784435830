import assert from 'node:assert/strict'
import bcrypt from 'bcryptjs'
import t from 'tap'
import { build, PASSWORD, type Service, startBackends, userInserter } from '../helper.js'
import { PATIENCE } from '../support/patience.js'
import { addRefusedUsers, measureRefusals, quantile } from '../support/refusals.js'
import { until } from '../support/servers.js'

const SAMPLES = 9

/**
 * Measures the CPU time of this process, for which a few samples suffice even on a busy machine.
 * The times that callers see need hundreds of samples: `npm run test:timing`.
 */
t.test('401 from /login after the same CPU time for every reason', { timeout: 120_000 }, async (t) => {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: '100' } })
  await addRefusedUsers(service.addUser)

  const works = await measureRefusals(SAMPLES, (body) => cpuMsOfRefusal(service, body))

  const usual = quantile(works.get('wrong password') ?? [])
  for (const [reason, samples] of works) {
    const ratio = quantile(samples) / usual
    t.ok(
      Math.abs(ratio - 1) < 0.1,
      `${reason}: ${quantile(samples).toFixed(1)} ms, ratio ${ratio.toFixed(3)}`,
    )
  }
})

t.test('401 from /login at the highest stored cost from the start, above BCRYPT_COST', async (t) => {
  const nobody = { mobile: '+8613800138999', password: PASSWORD }
  const backends = await startBackends(t)
  const env = { LOGIN_MAX_FAILURES: '100' }
  const before = await build(t, { backends, env })
  const atSetting = await cpuMsOfRefusal(before, nobody)
  await userInserter(backends.sql)({ mobile: '+8613800138105', hash: bcrypt.hashSync(PASSWORD, 12) })

  const service = await build(t, { backends, env })

  await until(async () => assert.ok((await cpuMsOfRefusal(service, nobody)) > 2.5 * atSetting), PATIENCE)
  t.ok((await cpuMsOfRefusal(before, nobody)) < 2 * atSetting, 'where none was met yet')
})

/**
 * CPU time in ms that this process, with all its threads, needs for a refused login. A login that
 * is answered 503 is repeated.
 */
async function cpuMsOfRefusal(service: Service, body: { mobile: string; password: string }): Promise<number> {
  for (;;) {
    const before = process.cpuUsage()
    const { status } = await service.call('POST', '/login', { body })
    const { user, system } = process.cpuUsage(before)
    if (status === 503) continue
    assert.equal(status, 401)
    return (user + system) / 1000
  }
}
