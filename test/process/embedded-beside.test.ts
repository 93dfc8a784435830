import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEMO_MOBILE } from '../../src/process/demo-account.js'
import { PASSWORD } from '../helper.js'
import { bannerOf, createHome, identify, login, passwordIn } from '../support/embedded-home.js'
import { freePort } from '../support/servers.js'
import { spawnCli, temporaryDirectory } from '../support/service-process.js'

const OTHER_MOBILE = '+8613900139000'

t.test('commands beside a running service on the same data', async (t) => {
  const home = createHome(t)
  const service = await home.start()

  t.test('exit 1 with one readable line for a second service', async (t) => {
    const port = await freePort()

    const second = await spawnCli(['serve'], { cwd: home.cwd, env: { PORT: String(port) } }).exited

    t.equal(second.code, 1)
    t.match(second.stderr, /^auth-service: the data directory .* is in use by another process[^\n]*\n$/)
    t.equal((await fetch(`${service.url}/readyz`)).status, 200, 'the first one is not disturbed')
  })

  t.test('exit 0 of user add; the new user can log in', async (t) => {
    const { code, stdout, stderr } = await home.run(
      ['user', 'add', '--mobile', OTHER_MOBILE, '--json'],
      PASSWORD,
    )

    t.equal(code, 0, stderr)
    t.match(JSON.parse(stdout), { mobile: OTHER_MOBILE, status: 'active', logged_in: false })
    t.equal((await login(service, OTHER_MOBILE, PASSWORD)).status, 200)
  })

  t.test('exit 0 of user disable; 401 user_disabled at once', async (t) => {
    const { token } = (await login(service, OTHER_MOBILE, PASSWORD)).body.data

    const { code, stderr } = await home.run(['user', 'disable', '--mobile', OTHER_MOBILE])

    t.equal(code, 0, stderr)
    t.match((await identify(service, token)).body, { code: 401, error: 'user_disabled' })
    t.equal((await login(service, OTHER_MOBILE, PASSWORD)).status, 401)
  })

  t.test('exit 0 of session end and user password while the service answers checks', async (t) => {
    const password = passwordIn(await bannerOf(service))
    const { token, user_id } = (await login(service, DEMO_MOBILE, password)).body.data
    const [ended, ...asked] = await Promise.all([
      home.run(['session', 'end', '--user', String(user_id)]),
      ...Array.from({ length: 100 }, () => identify(service, token)),
    ])

    const changed = await home.run(['user', 'password', '--mobile', DEMO_MOBILE], PASSWORD)

    t.equal(ended.code, 0, ended.stderr)
    t.same(
      [...new Set(asked.map(({ status }) => status))].filter((status) => status !== 200 && status !== 401),
      [],
    )
    t.equal((await identify(service, token)).status, 401)
    t.equal(changed.code, 0, changed.stderr)
    t.equal((await login(service, DEMO_MOBILE, password)).status, 401)
    t.equal((await login(service, DEMO_MOBILE, PASSWORD)).status, 200)
  })
})

t.test('exit 1 with one readable line for a DATA_DIR that cannot be used', async (t) => {
  const directory = temporaryDirectory()
  writeFileSync(join(directory, 'file'), 'not a directory')

  for (const [situation, dataDir] of [
    ['too long for a socket', join(directory, 'd'.repeat(120))],
    ['below a regular file', join(directory, 'file', 'data')],
    ['a regular file', join(directory, 'file')],
  ] as const) {
    t.test(situation, async (t) => {
      const { code, stderr } = await spawnCli(['serve'], { env: { DATA_DIR: dataDir, PORT: '0' } }).exited

      t.equal(code, 1)
      t.match(stderr, /^auth-service: DATA_DIR: [^\n]+\n$/)
      t.match(stderr, dataDir)
    })
  }

  t.test('with a damaged database in it', async (t) => {
    const dataDir = join(directory, 'damaged')
    mkdirSync(join(dataDir, 'postgres'), { recursive: true })
    writeFileSync(join(dataDir, 'postgres', 'PG_VERSION'), 'no version')

    const { code, stderr } = await spawnCli(['serve'], { env: { DATA_DIR: dataDir, PORT: '0' } }).exited

    t.equal(code, 1)
    t.match(stderr, /^auth-service: [^\n]+\n$/)
    t.match(stderr, dataDir)
  })
})
