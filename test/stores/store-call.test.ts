import { ReplyError } from 'ioredis'
import t from 'tap'
import { createStoreCall } from '../../src/stores/store-call.js'

t.test('logs an outage with its reason, without data', async (t) => {
  const said: string[] = []
  const log = { info: (line: string) => said.push(line), warn: (line: string) => said.push(line) }
  const call = createStoreCall({ store: 'redis', log, meansAway: () => true })
  const works = () => call(async () => 'answer')
  const fails = (error: Error) =>
    t.rejects(
      call(() => Promise.reject(error)),
      { message: /try again/ },
    )

  await fails(Object.assign(new Error('reset by 192.0.2.1'), { code: 'ECONNRESET' }))
  await fails(new Error('said only once'))
  t.equal(await works(), 'answer')
  await fails(new ReplyError('OOM command not allowed: SET +8613800138000'))
  await works()
  await fails(new Error('Connection terminated unexpectedly'))
  await works()
  await t.rejects(
    call(() => new Promise(() => undefined), 20),
    { message: /try again/ },
  )

  const back = 'redis is back'
  t.strictSame(said, [
    'redis is away: ECONNRESET',
    back,
    'redis is away: OOM',
    back,
    'redis is away: Connection terminated unexpectedly',
    back,
    'redis is away: no answer within 20 ms',
  ])
})
