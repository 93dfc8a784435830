import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from './service-process.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

let packed: string | undefined

/**
 * `npm pack -w clients/node`: the path of the tarball. Packed from a copy that was never built, because other tests use
 * what is built here.
 */
export function packedClient(): string {
  packed ??= pack()
  return packed
}

/** A project of somebody else's with the tarball installed, and nothing else unless named. */
export function projectWithClient(...others: string[]): string {
  const directory = temporaryDirectory('auth-sibling-')
  writeFileSync(join(directory, 'package.json'), '{ "private": true, "type": "module" }')
  npm(['install', '--offline', '--no-audit', '--no-fund', packedClient()], directory)
  const modules = join(directory, 'node_modules')
  for (const name of others) {
    mkdirSync(join(modules, name, '..'), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  return directory
}

function pack(): string {
  const copy = temporaryDirectory('auth-pack-')
  const own = join(copy, 'clients/node')
  cpSync(join(ROOT, 'tsconfig.json'), join(copy, 'tsconfig.json'))
  cpSync(join(ROOT, 'clients/node'), own, { recursive: true, filter: (path) => basename(path) !== 'dist' })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  const [{ filename }] = JSON.parse(npm(['pack', '--json'], own))
  return join(own, filename)
}

/** Without NODE_OPTIONS, into which tap puts a loader of its own for every child. */
function npm(args: string[], cwd: string): string {
  return execFileSync('env', ['-u', 'NODE_OPTIONS', 'npm', ...args], { cwd, encoding: 'utf8', stdio: 'pipe' })
}
