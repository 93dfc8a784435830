import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { build, keylessEnvironmentOf, MOBILE, startBackends } from '../helper.js'
import { type Exit, runCli, temporaryDirectory } from '../support/service-process.js'

const NEW_MOBILE = '+8613900139000'
const NEW_PASSWORD = 'eight dry parasols'

const backends = await startBackends(t)
const service = await build(t, { backends })
const userId = await service.addUser()
const actionLog = `${temporaryDirectory()}/user_action.log`
const env = { ...keylessEnvironmentOf(backends), USER_ACTION_LOG: actionLog }

t.test('user add', async (t) => {
  t.test('exit 0 with the user as JSON, who can log in', async (t) => {
    const { code, stdout, stderr } = await run(
      ['user', 'add', '--mobile', NEW_MOBILE, '--json'],
      NEW_PASSWORD,
    )

    t.equal(code, 0, stderr)
    const user = JSON.parse(stdout)
    t.match(user, { mobile: NEW_MOBILE, status: 'active', logged_in: false, last_login: null })
    t.ok(Number.isSafeInteger(user.user_id))
    t.same(Object.keys(user), ['user_id', 'mobile', 'status', 'logged_in', 'last_login', 'created_at'])
    await service.login({ mobile: NEW_MOBILE, password: NEW_PASSWORD })
  })

  t.test('exit 0 with the user as text; a national number is stored with its country code', async (t) => {
    const { code, stdout } = await run(['user', 'add', '--mobile', '139 0013 9003'], NEW_PASSWORD)

    t.equal(code, 0)
    t.match(stdout, /^mobile +\+8613900139003$/m)
    t.match(stdout, /^status +active$/m)
    t.match(stdout, /^last_login +-$/m)
  })

  t.test('exit 1 for a mobile that is taken, in every spelling', async (t) => {
    for (const mobile of [NEW_MOBILE, '+86 00 139-0013-9000']) {
      refused(t, await run(['user', 'add', '--mobile', mobile], NEW_PASSWORD), /mobile is taken/)
    }
  })

  t.test('exit 1 for a mobile that is not a phone number, without repeating it', async (t) => {
    for (const mobile of ['12', '+8613900139000 ext. 5', '']) {
      const exit = await run(['user', 'add', '--mobile', mobile], NEW_PASSWORD)

      refused(t, exit, /mobile is not a phone number/)
      if (mobile.length > 2) t.notOk(exit.stderr.includes(mobile))
    }
  })
})

t.test('user show', async (t) => {
  t.test('exit 0 with the same user by id and by mobile, as text and as JSON', async (t) => {
    await service.login()

    const [byId, byMobile] = await Promise.all([
      run(['user', 'show', '--user', String(userId)]),
      run(['user', 'show', '--mobile', '\u202d+86 138 0013 8000\u202c', '--json']),
    ])

    t.equal(byId.code, 0, byId.stderr)
    const user = JSON.parse(byMobile.stdout)
    t.match(user, { user_id: userId, mobile: MOBILE, status: 'active', logged_in: true })
    t.ok(Date.parse(user.last_login) > 0 && Date.parse(user.created_at) > 0)
    for (const [name, value] of Object.entries(user)) t.match(byId.stdout, `${name.padEnd(11)} ${value}\n`)
    t.notMatch(byId.stdout + byMobile.stdout, /\$2[aby]\$/, 'never the hash')
  })

  t.test('exit 0 without a change and without an action', async (t) => {
    const token = await service.login()
    const before = readFileSync(actionLog, 'utf8')

    await run(['user', 'show', '--user', String(userId)])

    t.equal((await service.identify(token)).status, 200)
    t.equal(readFileSync(actionLog, 'utf8'), before)
  })
})

t.test('a command for no user, for two ways to name one, and for an unknown user', async (t) => {
  for (const command of ['show', 'enable', 'disable', 'password', 'unlock']) {
    t.test(`exit 2 or 1 of user ${command}`, async (t) => {
      const [neither, both, unknown] = await Promise.all([
        run(['user', command], NEW_PASSWORD),
        run(['user', command, '--user', String(userId), '--mobile', MOBILE], NEW_PASSWORD),
        run(
          [
            'user',
            command,
            ...(command === 'show' ? ['--mobile', '+8613900139999'] : ['--user', '999999999']),
          ],
          NEW_PASSWORD,
        ),
      ])

      refused(t, neither, /either --user <id> or --mobile <number>/, 2)
      refused(t, both, /either --user <id> or --mobile <number>/, 2)
      refused(t, unknown, /no such user/)
    })
  }

  t.test('exit 1 of session end', async (t) => {
    refused(t, await run(['session', 'end', '--user', '999999999']), /no such user/)
  })
})

function run(args: string[], stdin = ''): Promise<Exit> {
  return runCli(args, env, stdin)
}

function refused(t: Test, { code, stdout, stderr }: Exit, why: RegExp, exitCode = 1): void {
  t.equal(code, exitCode)
  t.equal(stdout, '')
  t.match(stderr, /^auth-service: [^\n]+\n$/)
  t.match(stderr, why)
}
