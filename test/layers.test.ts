import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const SRC = new URL('../src/', import.meta.url).pathname

/** What a place in src may import of ours. `hooks, routes → services → stores`; only app.ts and the processes see all. */
const MAY_IMPORT: Record<string, RegExp> = {
  'language.ts': /^$/,
  'messages.ts': /^language\.ts$/,
  'lingering-close.ts': /^$/,
  'errors.ts': /^(language|messages)\.ts$/,
  'safe-answer.ts': /^$/,
  'connections.ts': /^$/,
  'http-server.ts': /^(connections|safe-answer)\.ts$|^services\/client-address\.ts$/,
  'error-answers.ts': /^(errors|language|lingering-close|messages|safe-answer)\.ts$/,
  'places.ts': /^$/,
  'schemas.ts': /^$/,
  'session.ts': /^$/,
  'utf8.ts': /^$/,
  'repeated-header.ts': /^$/,
  'body-text.ts': /^(errors|messages|repeated-header|utf8)\.ts$/,
  'presented-token.ts': /^(errors|repeated-header)\.ts$/,
  'predictable.ts': /^$/,
  'published-keys.ts': /^$/,
  'signing-secret.ts': /^(predictable|published-keys)\.ts$/,
  'new-file.ts': /^$/,
  'log-file.ts': /^errors\.ts$/,
  'addresses.ts': /^$/,
  'config.ts': /^(addresses|errors|signing-secret|utf8)\.ts$|^store-urls\//,
  'store-urls/': /^utf8\.ts$|^store-urls\//,
  'log.ts': /^log-file\.ts$/,
  'openapi.ts': /^(errors|messages|presented-token|schemas)\.ts$/,
  'hooks/':
    /^(body-text|error-answers|errors|messages|openapi|presented-token|repeated-header|schemas|session|utf8)\.ts$|^(hooks|services)\//,
  // The schema of the route that it is a shortcut to.
  'routes/identify-shortcut.ts':
    /^(presented-token|repeated-header|session)\.ts$|^(hooks|services)\/|^routes\/identify\.ts$/,
  'routes/': /^(errors|messages|openapi|presented-token|schemas)\.ts$|^(hooks|services)\//,
  'services/':
    /^(addresses|config|errors|log|messages|places|published-keys|session|utf8)\.ts$|^(services|stores)\//,
  'stores/': /^(config|errors|new-file|places|signing-secret|utf8)\.ts$|^stores\//,
  'client.ts': /^(error-answers|errors|presented-token|session)\.ts$|^client\//,
  // Of the route its types alone: client-package.test.ts runs the client without what a route needs.
  'client/': /^(errors|session)\.ts$|^client\/|^routes\/verify\.ts$/,
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))

t.test('imports go one way', async (t) => {
  for (const file of files) {
    const rule = Object.entries(MAY_IMPORT).find(([place]) => file.startsWith(place))?.[1]
    if (!rule) continue
    for (const imported of importsOf(file)) t.match(imported, rule, `${file} imports ${imported}`)
  }
})

t.test('routes and hooks know stores not even by type', async (t) => {
  const above = files.filter((file) => /^(routes|hooks)\//.test(file))
  t.ok(above.length >= 8)
  for (const file of above) t.notMatch(importsOf(file).join(), /stores\//, file)
})

t.test('only the command line reads the environment', async (t) => {
  const readers = files.filter((file) => /process\.env\b/.test(readFileSync(join(SRC, file), 'utf8')))
  t.strictSame(readers.sort(), ['cli.ts', 'commands/with-stores.ts'])
})

t.test('nothing is imported in a circle', async (t) => {
  const circlesFrom = (file: string, path: string[] = []): string[] => {
    if (path.includes(file)) return [[...path, file].join(' → ')]
    return importsOf(file).flatMap((imported) => circlesFrom(imported, [...path, file]))
  }

  t.strictSame(
    files.flatMap((file) => circlesFrom(file)),
    [],
  )
  t.ok(files.length > 20)
})

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  return [...text.matchAll(/from '(\.[^']+)\.js'/g)].map(([, path]) =>
    new URL(`${path}.ts`, `file:///${file}`).pathname.slice(1),
  )
}
