import assert from 'node:assert'
import { availableParallelism } from 'node:os'
import { pino } from 'pino'
import t from 'tap'
import { build, PASSWORD } from '../helper.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'

t.test('503 for some of 40 logins at once on one hashing thread; the log says why, once', async (t) => {
  const lines: string[] = []
  // A busy machine may log a slow store, too.
  const write = (line: string) => void (line.includes('not hashed') && lines.push(line))
  const log = pino({ level: 'warn' }, { write })
  // Processes share the hashing threads, and each has at least one.
  const env = { BCRYPT_COST: '10', WEB_CONCURRENCY: String(availableParallelism()) }
  const service = await build(t, { env, log })
  const mobiles = Array.from({ length: 40 }, (_, index) => `+861380013${8000 + index}`)
  for (const mobile of mobiles) await service.addUser({ mobile })

  const answers = await Promise.all(
    mobiles.map((mobile) => service.call('POST', '/login', { body: { mobile, password: PASSWORD } })),
  )

  const refused = answers.filter(({ status }) => status === 503)
  const admitted = answers.filter(({ status }) => status === 200)
  t.equal(admitted.length + refused.length, 40)
  t.ok(admitted.length > 0 && refused.length > 20, `${refused.length} refused`)
  await until(() => assert.equal(lines.length, 1), PATIENCE)
  const { level, msg } = JSON.parse(lines[0] ?? '')
  t.equal(level, pino.levels.values.warn)
  t.match(msg, /passwords were not hashed: .*hashing queue is full \(\d+\)/)
  t.match(msg, /WEB_CONCURRENCY.*BCRYPT_COST/)
  const counted = [...msg.matchAll(/\((\d+)\)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
  // A login may also be out of time after its hash.
  t.ok(counted > 20 && counted <= refused.length, `${counted} of ${refused.length} counted`)

  await service.app.close()
  t.equal(lines.length, 1, 'and nothing at the end')
})
