import t from 'tap'
import { parse } from 'yaml'
import { SETTINGS } from '../../src/config/environment.js'
import { runCli } from '../support/service-process.js'

const COMMANDS = [
  [],
  ['serve'],
  ['migrate'],
  ['openapi'],
  ['user'],
  ['user', 'add'],
  ['user', 'show'],
  ['user', 'enable'],
  ['user', 'disable'],
  ['user', 'password'],
  ['user', 'unlock'],
  ['session'],
  ['session', 'end'],
  ['client'],
  ['client', 'add'],
  ['client', 'list'],
  ['client', 'remove'],
  ['keys'],
  ['keys', 'generate'],
  ['keys', 'list'],
  ['keys', 'promote'],
  ['keys', 'remove'],
]

t.test('--help', async (t) => {
  const exits = await Promise.all(COMMANDS.map((command) => runCli([...command, '--help'])))

  for (const [index, command] of COMMANDS.entries()) {
    t.test(`exit 0 with the usage of ${['auth-service', ...command].join(' ')}`, async (t) => {
      const { code, stdout, stderr } = exits[index] ?? {}

      t.equal(code, 0)
      t.match(stdout, new RegExp(`^Usage: ${['auth-service', ...command].join(' ')} `))
      t.equal(stderr, '')
    })
  }

  t.test('lists every command', async (t) => {
    const listed = (index: number) =>
      [...`${exits[index]?.stdout}`.matchAll(/^ {2}(\w+) .*/gm)]
        .map(([, name]) => name)
        .filter((name) => name !== 'help')

    for (const parent of [[], ['user'], ['session'], ['client'], ['keys']]) {
      const children = COMMANDS.filter(
        (command) => command.length === parent.length + 1 && command[0] === (parent[0] ?? command[0]),
      )
      t.same(
        listed(COMMANDS.findIndex((command) => `${command}` === `${parent}`)),
        children.map((child) => child.at(-1)),
      )
    }
  })
})

t.test('exit 0 of serve --help with each setting, its default and what it is for', async (t) => {
  const { code, stdout } = await runCli(['serve', '--help'])

  t.equal(code, 0)
  for (const name of SETTINGS) t.match(stdout, new RegExp(`^ {2}${name} +\\S.{9,}$`, 'm'), name)
  t.match(stdout, /^ {2}PORT +.*\(default: 3000\)$/m)
  t.match(stdout, /^ {2}BCRYPT_COST +.*\(default: 12\)$/m)
  t.match(stdout, 'JWT_SECRET_FILE')
  t.match(stdout, 'docs/settings.md')
})

t.test('exit 0 with the version for --version', async (t) => {
  const { code, stdout } = await runCli(['--version'])

  t.equal(code, 0)
  t.match(stdout, /^\d+\.\d+\.\d+\n$/)
})

t.test('exit 2 with one readable line on standard error for a command line that is wrong', async (t) => {
  const mistakes: Record<string, string[]> = {
    'an unknown command': ['sevre'],
    'an unknown command of user': ['user', 'remove'],
    'an unknown option': ['migrate', '--force'],
    'an argument too many': ['user', 'show', '--user', '1', '2'],
    'user add without --mobile': ['user', 'add'],
    'an option without its value': ['user', 'show', '--user'],
    'a user id that is no number': ['user', 'show', '--user', '1; drop table user_login'],
    'a user id beyond all numbers': ['user', 'show', '--user', '9'.repeat(30)],
    'a user who is not named': ['user', 'show'],
    'a user who is named twice': ['user', 'enable', '--user', '1', '--mobile', '13800138000'],
    'session end without --user': ['session', 'end'],
    'a permission that does not exist': ['client', 'add', 'sibling', '--allow', 'everything'],
    'client remove without a name': ['client', 'remove'],
    'an algorithm that keys generate does not know': ['keys', 'generate', '--algorithm', 'HS256'],
    'keys generate into two files': ['keys', 'generate', '--output', 'a', '--add', 'b'],
    'keys list without --file': ['keys', 'list'],
    'keys promote without --kid': ['keys', 'promote', '--file', 'a'],
  }
  const exits = await Promise.all(Object.values(mistakes).map((args) => runCli(args)))

  for (const [index, situation] of Object.keys(mistakes).entries()) {
    t.test(situation, async (t) => {
      const { code, stdout, stderr } = exits[index] ?? {}

      t.equal(code, 2)
      t.equal(stdout, '')
      t.match(stderr, /^auth-service: [^\n]+\n$/)
    })
  }
})

t.test('exit 2 with the usage on standard error for a command that needs another', async (t) => {
  for (const command of [[], ['user'], ['keys']]) {
    const { code, stdout, stderr } = await runCli(command)

    t.equal(code, 2)
    t.equal(stdout, '')
    t.match(stderr, /^Usage: auth-service /)
  }
})

t.test('exit 1 with one readable line for what fails although the command line is right', async (t) => {
  for (const [args, env] of [
    [['keys', 'list', '--file', 'none.json'], {}],
    [['migrate'], { PORT: 'x' }],
    [['user', 'show', '--user', '1'], { DATABASE_URL: 'postgres://127.0.0.1/none' }],
  ] as const) {
    const { code, stdout, stderr } = await runCli([...args], env)

    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, /^auth-service: [^\n]+\n$/)
  }
})

t.test('openapi', async (t) => {
  const [json, yaml] = await Promise.all([runCli(['openapi']), runCli(['openapi', '--yaml'])])

  t.test('exit 0 with the document as JSON, without any setting', async (t) => {
    t.equal(json.code, 0, json.stderr)
    t.equal(json.stderr, '')
    const document = JSON.parse(json.stdout)
    t.match(document.openapi, /^3\.1\./)
    t.ok(document.paths['/login'])
  })

  t.test('exit 0 with the same document as YAML', async (t) => {
    t.equal(yaml.code, 0, yaml.stderr)
    t.equal(yaml.stderr, '')
    t.throws(() => JSON.parse(yaml.stdout))
    t.same(parse(yaml.stdout), JSON.parse(json.stdout))
  })
})
