#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { text } from 'node:stream/consumers'
import { Command, InvalidArgumentError } from 'commander'
import { pino } from 'pino'
import { read } from 'read'
import { buildApp } from './app.js'
import { loadConfig } from './config.js'
import { OperatorError, Refusal } from './errors.js'
import { createLog, openLogStream } from './log.js'
import { serve } from './server.js'
import { createActionLog, type Event } from './services/action-log.js'
import { canonicalMobile } from './services/mobiles.js'
import { createPasswords } from './services/passwords.js'
import { createThrottle } from './services/throttle.js'
import { createUsers, type User, type UserRef, type Users } from './services/users.js'
import { createAccounts } from './stores/accounts.js'
import { createMemorySessionRegistry } from './stores/memory-session-registry.js'
import { migrateStores, openStores } from './stores/stores.js'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

const program = new Command('auth-service')
  .description('Authentication with revocable JWTs and one live session per user.')
  .version(version)
  .showHelpAfterError('(--help shows how it is used)')

program
  .command('serve')
  .description('run the service; settings come from the environment (see the README)')
  .action(() => serve(process.env))

program
  .command('migrate')
  .description('bring the database schema up to this version; safe to run from several places at once')
  .action(async () => {
    const log = createLog('info', openLogStream('-'))
    await migrateStores(loadConfig(process.env, { signs: false }).stores, log)
    process.stdout.write('the database schema is up to date\n')
  })

program
  .command('openapi')
  .description('print the OpenAPI 3.1 document')
  .option('--yaml', 'as YAML instead of JSON')
  .action(async ({ yaml }: { yaml?: boolean }) => {
    process.stdout.write(await openapiDocument(yaml ?? false))
  })

const user = program.command('user').description('look at and change accounts')

user
  .command('add')
  .description('add a user; asks for the password, or reads it from standard input')
  .requiredOption('--mobile <number>', 'with country code, or as dialled in DEFAULT_REGION')
  .option('--json', 'print JSON')
  .action(async ({ mobile, json }: { mobile: string; json?: boolean }) => {
    const password = await readNewPassword()
    await administer('user_added', json, (users) => users.add({ mobile, password }))
  })

forUser('show', 'print a user').action((options: UserOptions) =>
  administer(undefined, options.json, (users) => users.find(refOf(options))),
)
forUser('enable', 'let a disabled user log in again').action((options: UserOptions) =>
  administer('user_enabled', options.json, (users) => users.enable(refOf(options))),
)
forUser('disable', 'end the user’s session and refuse new ones').action((options: UserOptions) =>
  administer('user_disabled', options.json, (users) => users.disable(refOf(options))),
)
forUser('password', 'set a password and end the user’s session').action(async (options: UserOptions) => {
  const password = await readNewPassword()
  await administer('password_changed', options.json, (users) => users.setPassword(refOf(options), password))
})
forUser('unlock', 'forget failed logins, so that the user can try again at once').action(
  (options: UserOptions) =>
    administer('user_unlocked', options.json, async (users, unlock) => {
      const found = await users.find(refOf(options))
      await unlock(found)
      return found
    }),
)

program
  .command('session')
  .description('look at and end sessions')
  .command('end')
  .description('end a user’s session; the account stays enabled')
  .requiredOption('--user <id>', 'user id', parseUserId)
  .option('--json', 'print JSON')
  .action((options: UserOptions) =>
    administer('session_ended', options.json, (users) => users.endSession(refOf(options))),
  )

interface UserOptions {
  user?: number
  mobile?: string
  json?: boolean
}

function forUser(name: string, description: string): Command {
  return user
    .command(name)
    .description(description)
    .option('--user <id>', 'user id', parseUserId)
    .option('--mobile <number>', 'mobile number')
    .option('--json', 'print JSON')
}

function parseUserId(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('expected a positive whole number')
  return Number(text)
}

function refOf({ user: userId, mobile }: UserOptions): UserRef {
  if (userId !== undefined && mobile === undefined) return { userId }
  if (mobile !== undefined && userId === undefined) return { mobile }
  throw new OperatorError('say which user: either --user <id> or --mobile <number>')
}

/** Runs one change on the stores, writes it into the action log, and prints the user as it is afterwards. */
async function administer(
  event: Event | undefined,
  json: boolean | undefined,
  change: (users: Users, unlock: (user: User) => Promise<void>) => Promise<User>,
): Promise<void> {
  const config = loadConfig(process.env, { signs: false })
  const log = pino({ level: 'warn' }, pino.destination(2))
  const actions = createActionLog(openLogStream(config.actionLog))
  const passwords = createPasswords({ cost: config.bcryptCost })
  const stores = await openStores(config.stores, log, { beside: true })
  try {
    const users = createUsers({ ...stores, passwords, region: config.defaultRegion })
    const changed = await change(users, async ({ mobile }) => {
      if (!stores.redis)
        throw new OperatorError('embedded mode counts failures in the serving process: restart it')
      await createThrottle({
        maxFailures: config.loginMaxFailures,
        windowSeconds: config.loginWindowSeconds,
        redis: stores.redis,
        log,
      }).forget(canonicalMobile(mobile, config.defaultRegion))
    })
    if (event) {
      const origin = { url: null, method: `cli by ${userInfo().username}`, ip: null, request_id: null }
      actions.record(event, origin, { user_id: changed.userId })
    }
    print(changed, json)
  } finally {
    await Promise.all([stores.close(), passwords.close(), actions.close()])
  }
}

function print({ userId, mobile, status, loggedIn, lastLogin, createdAt }: User, json = false): void {
  const shown = {
    user_id: userId,
    mobile,
    status,
    logged_in: loggedIn,
    last_login: lastLogin,
    created_at: createdAt,
  }
  const lines = Object.entries(shown).map(([name, value]) => `${name.padEnd(11)} ${value ?? '-'}\n`)
  process.stdout.write(json ? `${JSON.stringify(shown)}\n` : lines.join(''))
}

/** Never from an argument: those are in the shell's history and in the process list. */
async function readNewPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '')
  const password = await read({ prompt: 'New password: ', silent: true, replace: '' })
  if ((await read({ prompt: 'Once more: ', silent: true, replace: '' })) !== password) {
    throw new OperatorError('the two passwords differ')
  }
  return password
}

/** The document is made from the routes themselves; the stores behind them are never asked. */
async function openapiDocument(yaml: boolean): Promise<string> {
  const log = pino({ level: 'silent' })
  const app = await buildApp({
    config: loadConfig({}),
    jwtSecret: 'never signs a token: this process only prints',
    stores: {
      accounts: createAccounts({ address: { url: 'postgres://127.0.0.1:1/none' }, log }),
      registry: createMemorySessionRegistry(),
      redis: undefined,
    },
    actions: { record: () => undefined },
    log,
  })
  try {
    await app.ready()
    return yaml ? app.swagger({ yaml: true }) : `${JSON.stringify(app.swagger(), null, 2)}\n`
  } finally {
    await app.close()
  }
}

try {
  await program.parseAsync()
} catch (error) {
  const expected = error instanceof OperatorError || error instanceof Refusal
  const reason = error instanceof Refusal && error.reason ? ` (${error.reason})` : ''
  process.stderr.write(`auth-service: ${expected ? error.message + reason : (error as Error).stack}\n`)
  process.exit(1)
}
