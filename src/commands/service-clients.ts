import { type Command, InvalidArgumentError } from 'commander'
import { createServiceClients, PERMISSIONS, type Permission } from '../service-clients/service-clients.js'
import { originHere, withStores } from './with-stores.js'

interface Options {
  json?: boolean
}

/** `auth-service client …`. */
export function addServiceClientCommands(program: Command): void {
  const client = program.command('client').description('let other programs introspect, revoke or provision')
  const allowed = Object.entries(PERMISSIONS).map(([name, meaning]) => `\n  ${name.padEnd(12)}${meaning}`)

  client
    .command('add')
    .description('add a service client and print its secret, which is not shown again')
    .argument('<name>', 'letters, digits, dots, hyphens and underscores')
    .requiredOption('--allow <permissions>', 'comma-separated; see below', parsePermissions)
    .option('--json', 'print JSON')
    .addHelpText('after', `\nPermissions:${allowed.join('')}`)
    .action((name: string, { allow, json }: Options & { allow: Permission[] }) =>
      withStores(async ({ stores, actions }) => {
        const secret = await createServiceClients(stores).add(name, allow)
        actions.record('client_added', originHere(), { client: name })
        const added = { name, secret, permissions: allow }
        process.stdout.write(json ? `${JSON.stringify(added)}\n` : instructions(added))
      }),
    )

  client
    .command('list')
    .description('print the service clients')
    .option('--json', 'print JSON')
    .action(({ json }: Options) =>
      withStores(async ({ stores }) => {
        const clients = await createServiceClients(stores).all()
        const shown = clients.map(({ name, permissions, createdAt }) => ({
          name,
          permissions,
          created_at: new Date(createdAt).toISOString(),
        }))
        process.stdout.write(json ? `${JSON.stringify(shown)}\n` : table(shown))
      }),
    )

  client
    .command('remove')
    .description('take a service client’s access away, within 5 seconds on every instance')
    .argument('<name>')
    .action((name: string) =>
      withStores(async ({ stores, actions }) => {
        await createServiceClients(stores).remove(name)
        actions.record('client_removed', originHere(), { client: name })
        process.stdout.write(`${name} loses access within 5 seconds\n`)
      }),
    )
}

function instructions({
  name,
  secret,
  permissions,
}: {
  name: string
  secret: string
  permissions: Permission[]
}) {
  return `name         ${name}
secret       ${secret}
permissions  ${permissions.join(', ')}

The secret is not kept and cannot be shown again. It goes into HTTP Basic: curl -u ${name}:<secret> …
`
}

function table(clients: { name: string; permissions: Permission[]; created_at: string }[]): string {
  const width = Math.max(0, ...clients.map(({ name }) => name.length))
  const lines = clients.map(
    ({ name, permissions, created_at }) =>
      `${name.padEnd(width)}  ${permissions.join(',').padEnd(23)}  ${created_at}\n`,
  )
  return lines.join('')
}

function parsePermissions(text: string): Permission[] {
  const wanted = [...new Set(text.split(',').map((part) => part.trim()))]
  const unknown = wanted.some((name) => !Object.hasOwn(PERMISSIONS, name))
  if (unknown) throw new InvalidArgumentError(`expected some of ${Object.keys(PERMISSIONS).join(', ')}`)
  return wanted as Permission[]
}
