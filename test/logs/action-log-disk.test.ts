import assert from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { environmentOf, logIn, send, startBackends, userInserter } from '../helper.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'
import { runCli, startService } from '../support/service-process.js'
import { fill, free, mountProblem, smallDisk } from '../support/small-disk.js'

const backends = await startBackends(t)
await userInserter(backends.sql)()

const skip = mountProblem()

t.test(
  '200 from /login while the disk is full; the log says so, and the lines are written later',
  { skip },
  async (t) => {
    const { disk, path, service } = await startOnFullDisk(t)

    for (let time = 0; time < 5; time++) await logIn(service.url)
    await until(() => assert.match(service.stdout(), /lines of the action log were lost: ENOSPC/), PATIENCE)
    t.equal(readFileSync(path, 'utf8'), '')
    t.equal((await send(service.url, 'GET', '/readyz')).status, 200)
    free(disk)

    await until(() => assert.equal(readFileSync(path, 'utf8').match(/"event":"login"/g)?.length, 5), PATIENCE)
    await until(() => assert.match(service.stdout(), /the action log is written again/), PATIENCE)
  },
)

t.test('exit 0 while the disk is full; the log says how many lines are lost', { skip }, async (t) => {
  const { service } = await startOnFullDisk(t)
  await logIn(service.url)

  const { code, stdout } = await service.stop()

  t.equal(code, 0)
  t.match(stdout, /2 lines of the action log were lost: ENOSPC/)
})

t.test(
  'exit 0 of a command while the disk is full; standard error says how many lines are lost',
  { skip },
  async (t) => {
    const disk = smallDisk(t)
    const env = { ...environmentOf(backends), USER_ACTION_LOG: join(disk, 'action.log') }
    fill(disk)

    const { code, stdout, stderr } = await runCli(['user', 'disable', '--user', '1'], env)
    await runCli(['user', 'enable', '--user', '1'], { ...env, USER_ACTION_LOG: '-' })

    t.equal(code, 0, stdout)
    t.match(stderr, /1 line of the action log was lost: ENOSPC/)
  },
)

/** A service whose action log is on a disk that was filled after the start. */
async function startOnFullDisk(t: Test) {
  const disk = smallDisk(t)
  const path = join(disk, 'action.log')
  const service = await startService(t, { env: { ...environmentOf(backends), USER_ACTION_LOG: path } })
  fill(disk)
  return { disk, path, service }
}
