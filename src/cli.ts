#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addKeyCommands } from './commands/keys.js'
import { openapiDocument } from './commands/openapi-document.js'
import { outliveReaders } from './commands/reader-gone.js'
import { addServiceClientCommands } from './commands/service-clients.js'
import { settingsHelp } from './commands/settings-help.js'
import { addUserCommands } from './commands/users.js'
import { loadConfig } from './config/config.js'
import { createLog } from './logs/log.js'
import { openLogStream } from './logs/log-stream.js'
import { PACKAGE_FOLDER } from './package-folder.js'
import { serve } from './process/serve.js'
import { OperatorError } from './refusals/operator-error.js'
import { Refusal } from './refusals/refusal.js'
import { migrateStores } from './stores/stores.js'
import { wasDamaged } from './text/utf8.js'

const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE_FOLDER), 'utf8'))

/** Exit code for a command line that is wrong. Whatever else fails exits with 1. */
const WRONG_USAGE = 2

outliveReaders(complain)

const program = new Command('auth-service')
  .description('Authentication with revocable JWTs and one live session per user.')
  .version(version)
  .configureOutput({ outputError: (text) => complain(`${oneLine(text)}; --help shows how it is used`) })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_USAGE))

program
  .command('serve')
  .description('run the service; settings come from the environment')
  .addHelpText('after', settingsHelp)
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
  .action(async ({ yaml = false }: { yaml?: boolean }) => {
    process.stdout.write(await openapiDocument({ yaml }))
  })

addUserCommands(program)
addServiceClientCommands(program)
addKeyCommands(program)

try {
  if (process.argv.some(wasDamaged)) program.error('an argument is not UTF-8')
  await program.parseAsync()
} catch (error) {
  complain(explain(error as Error))
  process.exit(1)
}

/** One line for what an operator can fix; the stack for everything else, which is a bug. */
function explain(error: Error): string {
  if (error instanceof Refusal) return error.reason ? `${error.message} (${error.reason})` : error.message
  return error instanceof OperatorError ? error.message : `this is a bug: ${error.stack}`
}

function complain(text: string): void {
  process.stderr.write(`auth-service: ${text}\n`)
}

function oneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ')
}
