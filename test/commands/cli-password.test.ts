import t, { type Test } from 'tap'
import { build, keylessEnvironmentOf, MOBILE, PASSWORD, startBackends } from '../helper.js'
import { patiently } from '../support/patience.js'
import { findProgram, until } from '../support/servers.js'
import { CLI, type Exit, runCli, spawnProgram, temporaryDirectory } from '../support/service-process.js'

const OTHER_MOBILE = '+8613900139000'
const NEW_PASSWORD = 'eight dry parasols'

const backends = await startBackends(t)
const service = await build(t, { backends })
const userId = await service.addUser()
const actionLog = `${temporaryDirectory()}/user_action.log`
const env = { ...keylessEnvironmentOf(backends), USER_ACTION_LOG: actionLog }
const setPassword = ['user', 'password', '--user', String(userId)]

t.test('a password from standard input', async (t) => {
  for (const [form, text] of Object.entries({
    'without a line break': 'nine folded tents',
    'with a line break at the end, as echo writes it': `${PASSWORD}\n`,
    'with a line break of Windows': `${PASSWORD}\r\n`,
    'with a byte order mark, as Windows writes files': `\ufeff${PASSWORD}\r\n`,
    'with U+FFFD itself': `${PASSWORD}\ufffd`,
    'with spaces around it, which belong to it': `  ${PASSWORD}  \n`,
    'of exactly 72 bytes': '三只小猫在屋顶上唱歌跳舞喝茶看书写字画画晒太阳呀',
    'of exactly 15 characters': 'fifteen letters',
    'that the next tests expect': PASSWORD,
  })) {
    t.test(`exit 0 for a password ${form}`, async (t) => {
      const { code, stderr } = await runCli(setPassword, env, text)

      t.equal(code, 0, stderr)
      t.equal((await attempt(text.replace(/^\ufeff|\r?\n$/g, ''))).status, 200)
    })
  }

  for (const [form, text, why] of [
    ['that is missing', '', /standard input is empty/],
    ['that is too short', 'fourteen lette', /shorter than 15 characters/],
    ['of 73 bytes', 'x'.repeat(73), /longer than 72 bytes/],
    ['of 25 characters and 75 bytes', '漢'.repeat(25), /longer than 72 bytes/],
    ['with a NUL', `${PASSWORD}\0more`, /NUL/],
    ['that is easy to guess', 'password123password', /too easy to guess/],
    ['of spaces only', ' '.repeat(15), /too easy to guess/],
  ] as const) {
    t.test(`exit 1 with one line, and nothing changes, for a password ${form}`, async (t) => {
      const exits = await Promise.all([
        runCli(setPassword, env, text),
        runCli(['user', 'add', '--mobile', OTHER_MOBILE], env, text),
      ])

      for (const { code, stderr } of exits) {
        t.equal(code, 1)
        t.match(stderr, /^auth-service: password [^\n]+\n$/)
        t.match(stderr, why)
        if (text) t.notOk(stderr.includes(text))
      }
      t.equal((await attempt(PASSWORD)).status, 200)
      t.same(await backends.sql`select user_id from user_login where mobile = ${OTHER_MOBILE}`, [])
    })
  }
})

t.test('exit 2 for a password as an argument, which the process list would show', async (t) => {
  for (const args of [
    [...setPassword, NEW_PASSWORD],
    [...setPassword, '--password', NEW_PASSWORD],
    ['user', 'add', '--mobile', OTHER_MOBILE, '--password', NEW_PASSWORD],
  ]) {
    const { code, stderr } = await runCli(args, env, '')

    t.equal(code, 2)
    t.notOk(stderr.includes(NEW_PASSWORD))
  }
  t.equal((await attempt(NEW_PASSWORD)).status, 401)
})

const skip = findProgram('script') ? false : 'script (util-linux), which makes a terminal, is not installed'

t.test('a password typed at a terminal', { skip }, async (t) => {
  t.test('exit 0 after two prompts, without echo', async (t) => {
    const { code, stdout } = await typeInto(t, setPassword, [NEW_PASSWORD, NEW_PASSWORD])

    t.equal(code, 0, stdout)
    t.notMatch(stdout, NEW_PASSWORD)
    t.equal((await attempt(NEW_PASSWORD)).status, 200)
  })

  t.test('exit 1 where the two differ, without echo', async (t) => {
    const { code, stdout } = await typeInto(t, setPassword, ['ten folded tents', 'ten folded tends'])

    t.equal(code, 1)
    t.match(stdout, /^auth-service: the two passwords differ\r?$/m)
    t.notMatch(stdout, 'folded')
    t.equal((await attempt(NEW_PASSWORD)).status, 200)
  })

  for (const [situation, args, why] of [
    ['the number to add is taken', ['user', 'add', '--mobile', MOBILE], /mobile is taken/],
    ['the number to add is not a phone number', ['user', 'add', '--mobile', '12'], /mobile is not a phone/],
    ['the user does not exist', ['user', 'password', '--user', '999999999'], /no such user/],
    ['nobody has the number', ['user', 'password', '--mobile', OTHER_MOBILE], /no such user/],
  ] as const) {
    t.test(`exit 1 before any prompt where ${situation}`, async (t) => {
      const { code, stdout } = await typeInto(t, [...args], [], '\u0003')

      t.equal(code, 1)
      t.notMatch(stdout, 'New password')
      t.match(stdout, why)
    })
  }

  for (const [form, text, why] of [
    ['that is too short', 'fourteen lette', /shorter than 15 characters/],
    ['that is easy to guess', 'password123password', /too easy to guess/],
  ] as const) {
    t.test(`exit 1 right after the entry of a password ${form}`, async (t) => {
      for (const args of [setPassword, ['user', 'add', '--mobile', OTHER_MOBILE]]) {
        const { code, stdout } = await typeInto(t, args, [text])

        t.equal(code, 1)
        t.notMatch(stdout, 'Once more')
        t.match(stdout, why)
      }
      t.same(await backends.sql`select user_id from user_login where mobile = ${OTHER_MOBILE}`, [])
    })
  }

  t.test('exit 1 right after the entry of the own mobile number as password', async (t) => {
    const { code, stdout } = await typeInto(t, setPassword, [`${MOBILE}${MOBILE}`])

    t.equal(code, 1)
    t.notMatch(stdout, 'Once more')
    t.match(stdout, /mobile number/)
  })

  t.test('exit 0 without echo for both entries typed ahead', async (t) => {
    const both = `${NEW_PASSWORD}\r${NEW_PASSWORD}`
    const { code, stdout } = await typeInto(t, setPassword, [both])

    t.equal(code, 0, stdout)
    t.notMatch(stdout, NEW_PASSWORD)
  })

  t.test('exit 1 where the terminal does not send UTF-8', async (t) => {
    const latin1 = Buffer.from('\xe9'.repeat(15), 'latin1')
    const { code, stdout } = await typeInto(t, setPassword, [latin1, latin1])

    t.equal(code, 1)
    t.match(stdout, /^auth-service: password is not UTF-8: [^\n]+\r?$/m)
    t.equal((await attempt(NEW_PASSWORD)).status, 200)
  })

  for (const [key, character] of [
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ] as const) {
    t.test(`a failing exit code and one readable line after ${key} at the prompt`, async (t) => {
      const { code, stdout } = await typeInto(t, setPassword, [], character)

      t.not(code, 0)
      t.match(stdout, /auth-service: [^\n]+\n/)
      t.notMatch(stdout, /^ +at /m)
      t.equal((await attempt(NEW_PASSWORD)).status, 200)
    })
  }

  t.test('exit 2 before any prompt where no user is named', async (t) => {
    const { code, stdout } = await typeInto(t, ['user', 'password'], [], '\u0003')

    t.equal(code, 2)
    t.notMatch(stdout, 'New password')
    t.match(stdout, 'say which user')
  })
})

/** Runs a command in a terminal and answers its prompts. `stdout` is what the terminal shows. */
async function typeInto(
  t: Test,
  args: string[],
  answers: (string | Uint8Array)[],
  lastKey = '',
): Promise<Exit> {
  const command = [process.execPath, CLI, ...args].map((part) => `'${part}'`).join(' ')
  // -e passes the exit code on, -f writes at once, /dev/null discards the recording.
  const terminal = spawnProgram('script', ['-qefc', command, '/dev/null'], { env, stdinStaysOpen: true })
  t.teardown(() => terminal.stop('SIGKILL'))
  const prompts = ['New password: ', 'Once more: ']
  for (const [index, answer] of answers.entries()) {
    await promptOf(terminal, prompts[index] ?? '')
    terminal.type(answer)
    terminal.type('\r')
  }
  if (lastKey) {
    await promptOf(terminal, 'New password: ')
    terminal.type(lastKey)
  }
  return terminal.exited
}

/** Waits for a prompt, or for the end of a command that does not prompt. */
async function promptOf(terminal: ReturnType<typeof spawnProgram>, prompt: string): Promise<void> {
  const asked = until(() => {
    if (!terminal.stdout().includes(prompt)) throw new Error(`no prompt: ${terminal.stdout()}`)
  })
  await Promise.race([asked, terminal.exited])
  asked.catch(() => undefined)
}

function attempt(password: string) {
  return patiently(() => service.call('POST', '/login', { body: { mobile: MOBILE, password } }))
}
