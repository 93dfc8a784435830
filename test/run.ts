/**
 * `npm test`: finds or installs PostgreSQL, Redis, PgBouncer, Flask, Chromium and the gateways of examples/, starts one
 * PostgreSQL for all test files, runs them with tap, and stops it again; then injects a short selection of the faults, or all
 * of them with `CI=true`. With arguments, which go to tap, only the files that they name: `npm test -- test/http/login.test.ts`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import postgres from 'postgres'
import { migrate } from '../src/stores/postgres/postgres.js'
import { findProgram, findPython, startPostgres } from './support/servers.js'

/** Nothing is left out, however long it takes. */
const isCi = process.env.CI === 'true'

/** Programs, and the Debian packages that they are in. */
const NEEDED = {
  'redis-server': 'redis-server',
  postgres: 'postgresql',
  initdb: 'postgresql',
  psql: 'postgresql-client',
  pgbouncer: 'pgbouncer',
  nginx: 'nginx',
  caddy: 'caddy',
  haproxy: 'haproxy',
  apache2: 'apache2',
  'mod_auth_openidc.so': 'libapache2-mod-auth-openidc',
  chromium: 'chromium',
  openssl: 'openssl',
  strace: 'strace',
  'redis-cli': 'redis-tools',
  ...(isCi && { faketime: 'faketime', ip: 'iproute2' }),
}

/** The same for modules of Python. */
const NEEDED_BY_PYTHON = { flask: 'python3-flask', urllib3: 'python3-urllib3' }

installMissing()
const server = await startPostgres({ args: ['-c', 'max_connections=400'] })
const stop = async () => server.stop()
process.once('SIGINT', stop).once('SIGTERM', stop)
try {
  await createTemplate(server.url)
  process.exitCode = await runTap({ ...process.env, TEST_POSTGRES_URL: server.url })
} finally {
  await stop()
}
// Alone on the machine: what is judged there is also how fast the service answers.
if (process.exitCode === 0 && process.argv.length === 2) process.exitCode = await injectFaults()

function installMissing(): void {
  const missing = Object.entries(NEEDED).filter(([program]) => !findProgram(program))
  if (!findPython(Object.keys(NEEDED_BY_PYTHON))) missing.push(...Object.entries(NEEDED_BY_PYTHON))
  if (missing.length === 0) return
  const packages = [...new Set(missing.map(([, name]) => name))]
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    console.error(
      `The tests need ${packages.join(' and ')}. Install them, for example: sudo apt-get install ${packages.join(' ')}`,
    )
    process.exit(1)
  }
  console.log(`Installing ${packages.join(' and ')} with apt-get; the tests start their own servers.`)
  // RUNLEVEL=1 keeps Debian from starting the packaged servers.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    const { status } = spawnSync('apt-get', ['-q', ...args], { stdio: 'inherit', env })
    if (status !== 0) process.exit(status ?? 1)
  }
}

/** Copying a migrated database takes a tenth of the time of migrating a new one. */
async function createTemplate(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 })
  await sql`create database template_auth`
  await sql.end()
  await migrate({ url: url.replace(/postgres$/, 'template_auth') })
}

async function runTap(env: NodeJS.ProcessEnv): Promise<number> {
  const files = process.argv.slice(2)
  if (tapKnowsItsPlugins()) return run('tap', files, 'inherit', env)
  return (await run('tap', ['build'], 'ignore', env)) || run('tap', files, 'inherit', env)
}

function injectFaults(): Promise<number> {
  const which = isCi ? 'all of them' : 'a selection (npm run test:faults has all of them)'
  console.log(`\nFaults: ${which}, one after the other`)
  return run('tsx', ['test/faults/run.ts', ...(isCi ? [] : ['--short'])], 'inherit')
}

/** tap is built with a TypeScript plugin of its own, which .taprc takes out; that counts only once tap is built anew. */
function tapKnowsItsPlugins(): boolean {
  const built = new URL('../node_modules/@tapjs/test/test-built/dist/esm/index.js', import.meta.url)
  return !readFileSync(built, 'utf8').includes('@tapjs/typescript')
}

async function run(
  program: string,
  args: string[],
  stdio: 'ignore' | 'inherit',
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const [code] = await once(spawn('npx', ['--no-install', program, ...args], { stdio, env }), 'exit')
  return code ?? 1
}
