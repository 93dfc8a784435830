import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import t from 'tap'
import { build, keylessEnvironmentOf, MOBILE, PASSWORD, startBackends } from '../helper.js'
import { patiently } from '../support/patience.js'
import { type Exit, runCli, temporaryDirectory } from '../support/service-process.js'

const MAX_FAILURES = 3
const NEW_MOBILE = '+8613900139000'
const NEW_PASSWORD = 'eight dry parasols'

const backends = await startBackends(t)
const service = await build(t, { backends, env: { LOGIN_MAX_FAILURES: String(MAX_FAILURES) } })
const userId = await service.addUser()
const actionLog = `${temporaryDirectory()}/user_action.log`
const env = {
  ...keylessEnvironmentOf(backends),
  LOGIN_MAX_FAILURES: String(MAX_FAILURES),
  USER_ACTION_LOG: actionLog,
}
const tokens: string[] = []

t.test('commands that end a session', async (t) => {
  t.test('exit 0 of session end; 401 session_ended, and the account stays active', async (t) => {
    const token = await service.login()

    const { code, stdout } = await run(['session', 'end', '--user', String(userId), '--json'])

    t.equal(code, 0)
    t.match(JSON.parse(stdout), { user_id: userId, status: 'active', logged_in: false })
    t.match((await service.identify(token)).body, { code: 401, error: 'session_ended' })
    tokens.push(token, await service.login())
  })

  t.test('exit 0 of session end where there is no session', async (t) => {
    await run(['session', 'end', '--user', String(userId)])

    t.equal((await run(['session', 'end', '--user', String(userId)])).code, 0)
  })

  t.test(
    'exit 0 of user disable and user enable; the user can log in, the old session stays ended',
    async (t) => {
      const token = await service.login()
      tokens.push(token)

      const disabled = await run(['user', 'disable', '--user', String(userId), '--json'])

      t.match(JSON.parse(disabled.stdout), { status: 'disabled', logged_in: false })
      t.match((await service.identify(token)).body, { code: 401, error: 'user_disabled' })
      t.equal((await attempt(PASSWORD)).status, 401)

      const enabled = await run(['user', 'enable', '--mobile', MOBILE, '--json'])

      t.match(JSON.parse(enabled.stdout), { status: 'active', logged_in: false })
      t.match((await service.identify(token)).body, { code: 401, error: 'session_ended' })
      t.equal((await attempt(PASSWORD)).status, 200)
    },
  )

  t.test('exit 0 of user password; 401 session_ended, and only the new password logs in', async (t) => {
    const token = await service.login()
    tokens.push(token)

    const { code } = await run(['user', 'password', '--user', String(userId)], NEW_PASSWORD)

    t.equal(code, 0)
    t.match((await service.identify(token)).body, { code: 401, error: 'session_ended' })
    t.equal((await attempt(PASSWORD)).status, 401)
    t.equal((await attempt(NEW_PASSWORD)).status, 200)
  })
})

t.test('exit 0 of user unlock; 200 from /login at once for a throttled user', async (t) => {
  for (let failures = 0; failures < MAX_FAILURES; failures++) await attempt('wrong')
  t.equal((await attempt(NEW_PASSWORD)).status, 429)

  const { code, stdout } = await run(['user', 'unlock', '--mobile', MOBILE, '--json'])

  t.equal(code, 0)
  t.match(JSON.parse(stdout), { user_id: userId })
  t.equal((await attempt(NEW_PASSWORD)).status, 200)
})

t.test('the action log', async (t) => {
  t.test('has a line for each change, with the operator, and none for refused commands', async (t) => {
    await run(['user', 'add', '--mobile', NEW_MOBILE], NEW_PASSWORD)
    await run(['user', 'add', '--mobile', NEW_MOBILE], NEW_PASSWORD)
    await run(['user', 'disable', '--user', '999999999'])

    const events = actions().map(({ event, user_id }) => `${event}${user_id === userId ? '' : ' of another'}`)

    t.same(events, [
      'session_ended',
      'session_ended',
      'session_ended',
      'user_disabled',
      'user_enabled',
      'password_changed',
      'user_unlocked',
      'user_added of another',
    ])
    for (const action of actions()) {
      t.ok(Math.abs(Date.parse(action.time) - Date.now()) < 120_000)
      t.match(action, {
        msg: /\w/,
        url: null,
        method: `cli by ${userInfo().username}`,
        ip: null,
        request_id: null,
      })
    }
  })

  t.test('holds no password, token or full mobile', async (t) => {
    const text = readFileSync(actionLog, 'utf8')

    for (const secret of [
      PASSWORD,
      NEW_PASSWORD,
      ...tokens,
      MOBILE,
      NEW_MOBILE,
      '13800138000',
      '1390013900',
    ]) {
      t.notOk(text.includes(secret))
    }
  })
})

function run(args: string[], stdin = ''): Promise<Exit> {
  return runCli(args, env, stdin)
}

function attempt(password: string) {
  return patiently(() => service.call('POST', '/login', { body: { mobile: MOBILE, password } }))
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to be there
function actions(): any[] {
  return readFileSync(actionLog, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}
