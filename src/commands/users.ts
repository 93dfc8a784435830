import { type Command, InvalidArgumentError } from 'commander'
import type { Config } from '../config/config.js'
import { recordOf } from '../http/schemas.js'
import type { Event } from '../logs/action-log.js'
import { createPasswords } from '../passwords/passwords.js'
import { createThrottle } from '../passwords/throttle.js'
import { OperatorError } from '../refusals/operator-error.js'
import { OPERATOR_BUDGET_MS } from '../sessions/budget.js'
import { createUsers, type User, type UserRef, type Users } from '../users/users.js'
import { askNewPassword } from './ask-password.js'
import { originHere, withStores } from './with-stores.js'

interface Options {
  user?: number
  mobile?: string
  json?: boolean
}

/** `auth-service user …` and `auth-service session …`. */
export function addUserCommands(program: Command): void {
  const user = program.command('user').description('show and change accounts')

  user
    .command('add')
    .description('add a user; asks for the password, or reads it from standard input')
    .requiredOption('--mobile <number>', 'with country code, or as dialled in DEFAULT_REGION')
    .option('--json', 'print JSON')
    .action(({ mobile, json }: Options & { mobile: string }) =>
      administer('user_added', json, async ({ users }) => {
        const canonical = await users.requireFree(mobile)
        const password = await askNewPassword((entered) => users.requireGoodPassword(entered, canonical))
        return users.add({ mobile, password })
      }),
    )

  forUser('show', 'print a user', (ref, json) => administer(undefined, json, ({ users }) => users.find(ref)))
  forUser('enable', 'let a disabled user log in again', (ref, json) =>
    administer('user_enabled', json, ({ users }) => users.enable(ref)),
  )
  forUser('disable', 'end the user’s session and refuse new ones', (ref, json) =>
    administer('user_disabled', json, ({ users }) => users.disable(ref)),
  )
  forUser('password', 'set a password and end the user’s session', (ref, json) =>
    administer('password_changed', json, async ({ users }) => {
      const { mobile } = await users.find(ref)
      const password = await askNewPassword((entered) => users.requireGoodPassword(entered, mobile))
      return users.setPassword(ref, password)
    }),
  )
  forUser('unlock', 'forget failed logins, so that the user can try again at once', (ref, json) =>
    administer('user_unlocked', json, ({ users, config }) => {
      if (config.stores.kind === 'embedded') {
        throw new OperatorError(
          'embedded mode counts failures in the serving process: restart it to forget them',
        )
      }
      return users.unlock(ref)
    }),
  )

  program
    .command('session')
    .description('end sessions')
    .command('end')
    .description('end a user’s session; the account stays enabled')
    .requiredOption('--user <id>', 'user id', parseUserId)
    .option('--json', 'print JSON')
    .action(({ user: userId, json }: Options & { user: number }) =>
      administer('session_ended', json, ({ users }) => users.endSession({ userId })),
    )

  function forUser(
    name: string,
    description: string,
    run: (ref: UserRef, json: boolean | undefined) => Promise<void>,
  ): void {
    user
      .command(name)
      .description(description)
      .option('--user <id>', 'user id', parseUserId)
      .option('--mobile <number>', 'mobile number')
      .option('--json', 'print JSON')
      .action((options: Options, command: Command) => run(refOf(options, command), options.json))
  }
}

/**
 * Runs one operation on the stores, records it in the action log, and prints the user as it is
 * afterwards.
 */
async function administer(
  event: Event | undefined,
  json: boolean | undefined,
  change: (context: { users: Users; config: Config }) => Promise<User>,
): Promise<void> {
  await withStores(async ({ config, stores, actions }) => {
    const passwords = createPasswords({ cost: config.bcryptCost })
    try {
      const region = config.defaultRegion
      const throttle = createThrottle({ ...stores, ...config.throttle })
      const users = createUsers({ ...stores, passwords, throttle, region, budgetMs: OPERATOR_BUDGET_MS })
      const changed = await change({ users, config })
      if (event) actions.record(event, originHere(), { user_id: changed.userId })
      print(changed, json)
    } finally {
      await passwords.close()
    }
  })
}

function print(user: User, json = false): void {
  const shown = recordOf(user)
  const lines = Object.entries(shown).map(([name, value]) => `${name.padEnd(11)} ${value ?? '-'}\n`)
  process.stdout.write(json ? `${JSON.stringify(shown)}\n` : lines.join(''))
}

function parseUserId(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('expected a positive whole number')
  return Number(text)
}

function refOf({ user: userId, mobile }: Options, command: Command): UserRef {
  if (userId !== undefined && mobile === undefined) return { userId }
  if (mobile !== undefined && userId === undefined) return { mobile }
  return command.error('say which user: either --user <id> or --mobile <number>')
}
