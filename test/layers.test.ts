import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const SRC = new URL('../src/', import.meta.url).pathname

/** Subjects: what the service is about, independent of HTTP. */
const SUBJECTS = 'sessions|tokens|passwords|users|service-clients|logs'

/** Folders that every other folder may import, and that import no subject. */
const COMMON = 'refusals|text|addresses|secrets|config'

/**
 * What a folder of src may import of our code: `http → subjects → stores`. Only app.ts, the
 * processes and the commands may import everything.
 */
const MAY_IMPORT: Record<string, RegExp> = {
  'refusals/': /^refusals\//,
  'text/': /^$/,
  'addresses/': /^addresses\//,
  'secrets/': /^secrets\//,
  'config/': inFolders(COMMON),
  'stores/': inFolders(`${COMMON}|stores`),
  'http/': inFolders(`${COMMON}|${SUBJECTS}|http`),
}
for (const subject of SUBJECTS.split('|')) {
  MAY_IMPORT[`${subject}/`] = inFolders(`${COMMON}|${SUBJECTS}|stores`)
}

function inFolders(folders: string): RegExp {
  return new RegExp(`^(${folders})/|^(package-folder|v8)\\.ts$`)
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))

t.test('imports go one way', async (t) => {
  for (const file of files) {
    const rule = Object.entries(MAY_IMPORT).find(([place]) => file.startsWith(place))?.[1]
    if (!rule) continue
    for (const imported of importsOf(file)) t.match(imported, rule, `${file} imports ${imported}`)
  }
})

t.test('http/ imports no store, not even a type', async (t) => {
  const above = files.filter((file) => file.startsWith('http/'))
  t.ok(above.length >= 30)
  for (const file of above) t.notMatch(importsOf(file).join(), /stores\//, file)
})

t.test('only the command line reads the environment', async (t) => {
  const readers = files.filter((file) => /process\.env\b/.test(readFileSync(join(SRC, file), 'utf8')))
  t.strictSame(readers.sort(), ['cli.ts', 'commands/with-stores.ts'])
})

t.test('no import is circular', async (t) => {
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

t.test('a client imports only itself, Node.js and what its package declares', async (t) => {
  const folder = new URL('../clients/node/', import.meta.url).pathname
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const own = readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })
  const declared = Object.keys({ ...dependencies, ...peerDependencies })
  const imported = own.flatMap((file) => {
    const text = readFileSync(join(folder, 'src', file), 'utf8')
    return [...text.matchAll(/\b(?:from|import)[ (]+'([^']+)'/g)].map(([, path = '']) => path)
  })

  const foreign = imported.filter((path) => !/^(node:|\.\/[\w-]+\.js$)/.test(path))
  t.strictSame([...new Set(foreign)].sort(), declared.sort())
  t.ok(own.length >= 10)
})

t.test('the service imports nothing of its clients', async (t) => {
  for (const file of files)
    t.notMatch(readFileSync(join(SRC, file), 'utf8'), /@auth-service\/client|clients\/node/, file)
})

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  return [...text.matchAll(/from '(\.[^']+)\.js'/g)].map(([, path]) =>
    new URL(`${path}.ts`, `file:///${file}`).pathname.slice(1),
  )
}
