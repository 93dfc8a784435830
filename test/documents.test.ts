import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { minVersion, satisfies } from 'semver'
import t from 'tap'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

const DOCUMENTS = [
  'README.md',
  'README.zh-CN.md',
  'CHANGELOG.md',
  'clients/node/README.md',
  ...markdownBelow('docs'),
  ...markdownBelow('examples'),
]

/** The target of a Markdown link or image, up to a title. */
const LINK = /\]\(([^)\s]+)/g

t.test('every relative link names a file that exists, and its anchor a heading', async (t) => {
  let links = 0
  for (const document of DOCUMENTS) {
    for (const [, target = ''] of proseOf(document).matchAll(LINK)) {
      if (/^[a-z]+:/.test(target)) continue
      links++
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? document : normalize(join(dirname(document), path))
      t.ok(existsSync(join(ROOT, file)), `${document}: ${target} exists`)
      if (anchor === undefined || !file.endsWith('.md')) continue
      t.ok(anchorsOf(file).includes(anchor), `${document}: ${target} is a heading`)
    }
  }
  t.ok(links > 100)
})

t.test('the README leads to every document', async (t) => {
  const readme = proseOf('README.md')
  for (const document of markdownBelow('docs')) t.match(readme, `](${document})`, document)
})

t.test('the Chinese README has the commands, routes and errors of the English documents', async (t) => {
  const chinese = readFileSync(join(ROOT, 'README.zh-CN.md'), 'utf8')

  t.strictSame(codeBlocksOf('README.zh-CN.md'), [
    ...codeBlocksOf('README.md'),
    ...codeBlocksOf('docs/siblings.md').slice(0, 3),
    ...codeBlocksOf('docs/command-line.md'),
  ])
  t.strictSame(codeOfRows(chinese, '路由'), codeOfRows(proseOf('README.md'), 'Routes'))
  t.strictSame(codeOfRows(chinese, '错误'), codeOfRows(proseOf('docs/api.md'), 'Errors'))
  t.match(chinese, '](README.md)')
  t.match(proseOf('README.md'), '](README.zh-CN.md)')
})

t.test('docs/dependencies.md gives a reason for each package, and for no other', async (t) => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const rows = proseOf('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| (\S.*) \|$/gm)

  t.strictSame(
    Array.from(rows, ([, name]) => name),
    [...Object.keys(dependencies), ...Object.keys(devDependencies)],
  )
})

t.test('every installed package runs on the oldest Node.js that package.json promises', async (t) => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const oldest = minVersion(engines.node) ?? 'none'
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))

  for (const [path, { version, engines: needs }] of Object.entries<Locked>(packages)) {
    if (needs?.node) t.ok(satisfies(oldest, needs.node), `${path} ${version} needs ${needs.node}`)
  }
})

t.test('the README is one page', async (t) => {
  const lines = readFileSync(join(ROOT, 'README.md'), 'utf8').trimEnd().split('\n')

  t.ok(lines.length <= 100, `${lines.length} lines`)
  t.ok(
    lines.every((line) => line.length <= 120),
    'of at most 120 characters',
  )
})

/** A package of package-lock.json. */
interface Locked {
  version: string
  engines?: { node?: string }
}

function markdownBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
    .map((path) => `${folder}/${path}`)
    .sort()
}

/** A document without its code blocks. */
function proseOf(document: string): string {
  return readFileSync(join(ROOT, document), 'utf8').replace(/^```.*?^```$/gms, '')
}

function codeBlocksOf(document: string): string[] {
  return readFileSync(join(ROOT, document), 'utf8').match(/^```.*?^```$/gms) ?? []
}

/** What the rows of a table below a heading begin with: all that is code in their first column. */
function codeOfRows(markdown: string, heading: string): string[] {
  const [, section = ''] = new RegExp(`^## ${heading}$(.*?)^## `, 'ms').exec(markdown) ?? []
  const firsts = section.match(/^\| `[^|]+/gm) ?? []
  return firsts.flatMap((first) => first.match(/`[^`]+`/g) ?? [])
}

/** The anchors that GitHub gives to the headings of a document. */
function anchorsOf(document: string): string[] {
  return [...proseOf(document).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
