import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findProgram, findPython } from './servers.js'

/** The Debian package of each program and Apache module. */
const PACKAGES = {
  postgres: 'postgresql',
  initdb: 'postgresql',
  psql: 'postgresql-client',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  pgbouncer: 'pgbouncer',
  openssl: 'openssl',
  nginx: 'nginx',
  caddy: 'caddy',
  haproxy: 'haproxy',
  apache2: 'apache2',
  'mod_auth_openidc.so': 'libapache2-mod-auth-openidc',
  chromium: 'chromium',
  faketime: 'faketime',
  strace: 'strace',
  ip: 'iproute2',
  git: 'git',
  curl: 'curl',
}

/** The Debian package of each Python module. One Python must have all of them. */
const PYTHON_PACKAGES = { flask: 'python3-flask', urllib3: 'python3-urllib3' }

export type Program = keyof typeof PACKAGES | keyof typeof PYTHON_PACKAGES

/** The programs of every test that starts the service. */
export const STORES: Program[] = ['postgres', 'initdb', 'redis-server']

/** Installs missing packages. Where that is not possible, prints them and ends this process. */
export function requirePrograms(programs: Iterable<Program>): void {
  const packages = missingPackages(programs)
  if (packages.length === 0 || install(packages)) return
  const names = packages.join(' ')
  console.error(
    `These tests need what is not installed: ${names}. For example: sudo apt-get install ${names}`,
  )
  process.exit(1)
}

/** Installs missing packages where possible. Tests that need others report it themselves. */
export function installIfPossible(programs: Iterable<Program>): void {
  const packages = missingPackages(programs)
  if (packages.length > 0) install(packages)
}

function missingPackages(programs: Iterable<Program>): string[] {
  const wanted = [...programs]
  const modules = wanted.filter((name) => name in PYTHON_PACKAGES)
  const missing = wanted.filter((name) => !modules.includes(name) && !findProgram(name))
  if (modules.length > 0 && !findPython(modules)) missing.push(...modules)
  const packageOf: Record<string, string> = { ...PACKAGES, ...PYTHON_PACKAGES }
  return [...new Set(missing.map((name) => packageOf[name] ?? name))]
}

/** @returns false where this process may not install anything */
function install(packages: string[]): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false
  console.log(`Installing ${packages.join(' and ')} with apt-get; the tests start their own servers.`)
  // RUNLEVEL=1 keeps Debian from starting the packaged servers.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    const { status } = spawnSync('apt-get', ['-q', ...args], { stdio: 'inherit', env })
    if (status !== 0) process.exit(status ?? 1)
  }
  return true
}
