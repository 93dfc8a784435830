import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from './service-process.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

let packed: string | undefined

/**
 * The path of the tarball of `npm pack -w clients/node`. It is packed from a copy without dist,
 * because other tests use what is built here.
 */
export function packedClient(): string {
  packed ??= pack()
  return packed
}

/** A new project with the tarball installed, and with the other packages that are named. */
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

/** Runs npm without NODE_OPTIONS, in which tap passes a loader of its own to every child. */
function npm(args: string[], cwd: string): string {
  return execFileSync('env', ['-u', 'NODE_OPTIONS', 'npm', ...args], { cwd, encoding: 'utf8', stdio: 'pipe' })
}
