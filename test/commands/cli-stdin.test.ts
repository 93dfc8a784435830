import t, { type Test } from 'tap'
import { build, keylessEnvironmentOf, MOBILE, PASSWORD, startBackends } from '../helper.js'
import { CLI, runCli, spawnProgram, temporaryDirectory } from '../support/service-process.js'

const OTHER_MOBILE = '+8613900139000'
const NEW_PASSWORD = 'eight dry parasols'

const backends = await startBackends(t)
const service = await build(t, { backends })
const userId = await service.addUser()
const env = { ...keylessEnvironmentOf(backends), USER_ACTION_LOG: `${temporaryDirectory()}/user_action.log` }
const setPassword = ['user', 'password', '--user', String(userId)]
const addUser = ['user', 'add', '--mobile', OTHER_MOBILE]

t.test(
  'exit 1 with one line, and nothing changes, for a password that is not one line of UTF-8',
  async (t) => {
    for (const [form, input, why] of [
      ['a byte order mark alone', '\ufeff', /shorter than 15 characters/],
      ['a line break alone', '\n', /shorter than 15 characters/],
      ['twice, as the terminal asks for it', `${NEW_PASSWORD}\n${NEW_PASSWORD}\n`, /only line/],
      ['twice, with line breaks of Windows', `${NEW_PASSWORD}\r\n${NEW_PASSWORD}\r\n`, /only line/],
      ['with another line that has no end', `${NEW_PASSWORD}\nmore`, /only line/],
      ['with an empty line after it', `${NEW_PASSWORD}\n\n`, /only line/],
      ['after an empty line', `\n${NEW_PASSWORD}\n`, /only line/],
      ['with a lone CR inside', `${NEW_PASSWORD}\rmore`, /only line/],
      ['with a lone CR at its end', `${NEW_PASSWORD}\r`, /only line/],
      ['with two CR at its end', `${NEW_PASSWORD}\r\r\n`, /only line/],
      ['with a line break in reverse', `${NEW_PASSWORD}\n\r`, /only line/],
      ['in Latin-1', Buffer.from('\xe9'.repeat(15), 'latin1'), /not UTF-8/],
      ['with bytes that are never in UTF-8', Buffer.alloc(15, 0xff), /not UTF-8/],
      ['cut off within a character', Buffer.from('漢'.repeat(15)).subarray(0, -1), /not UTF-8/],
      ['with an emoji in CESU-8', Buffer.from(`${'eda0bdedb880'.repeat(8)}`, 'hex'), /not UTF-8/],
      ['in UTF-16 with its mark', Buffer.from(`\ufeff${NEW_PASSWORD}\r\n`, 'utf16le'), /not UTF-8/],
      ['in UTF-16 without it', Buffer.from(NEW_PASSWORD, 'utf16le'), /NUL/],
      ['of 100,000 bytes', 'x'.repeat(100_000), /too long/],
    ] as const) {
      t.test(form, async (t) => {
        const { code, stderr } = await runCli(addUser, env, input)

        t.equal(code, 1)
        t.match(stderr, /^auth-service: password [^\n]+\n$/)
        t.match(stderr, why)
        t.notMatch(stderr, NEW_PASSWORD)
      })
    }

    t.test('for a user who exists', async (t) => {
      for (const input of [`${NEW_PASSWORD}\n${NEW_PASSWORD}\n`, Buffer.alloc(15, 0xff)]) {
        t.equal((await runCli(setPassword, env, input)).code, 1)
      }
      await nothingChanged(t)
    })
  },
)

t.test(
  'exit 1 at once where standard input does not end, is a directory, closed, or not readable',
  async (t) => {
    const command = [process.execPath, CLI, ...setPassword].map((part) => `'${part}'`).join(' ')
    for (const [line, why] of [
      [`yes | ${command}`, /^auth-service: password is too long on standard input\n$/],
      [`tr '\\0' x < /dev/zero | ${command}`, /^auth-service: password is too long on standard input\n$/],
      [`${command} < /`, /^auth-service: password [^\n]*standard input is empty\n$/],
      [`${command} <&-`, /^auth-service: password [^\n]*standard input is empty\n$/],
      [`${command} 0> written`, /^auth-service: standard input cannot be read \(EBADF\)\n$/],
    ] as const) {
      const { code, stderr } = await spawnProgram('sh', ['-c', line], { env }).exited

      t.equal(code, 1, line)
      t.match(stderr, why)
    }
    await nothingChanged(t)
  },
)

t.test('exit 2 for an argument that is not UTF-8, which could be taken for another', async (t) => {
  // Node.js cannot pass such an argument, so a shell does.
  const bytes = `"$(printf '\\351')"`
  for (const args of [
    `user add --mobile ${bytes}`,
    `client add ${bytes} --allow users`,
    `keys list --file ${bytes}`,
  ]) {
    const line = `'${process.execPath}' '${CLI}' ${args}`
    const { code, stderr } = await spawnProgram('sh', ['-c', line], { env, stdin: NEW_PASSWORD }).exited

    t.equal(code, 2)
    t.equal(stderr, 'auth-service: an argument is not UTF-8; --help shows how it is used\n')
  }
})

async function nothingChanged(t: Test): Promise<void> {
  t.equal(
    (await service.call('POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } })).status,
    200,
  )
  t.same(await backends.sql`select user_id from user_login where mobile = ${OTHER_MOBILE}`, [])
}
