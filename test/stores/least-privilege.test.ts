import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { migrate } from '../../src/stores/postgres/migrations.js'
import { basic, logIn, MOBILE, PASSWORD, SECRET, send } from '../helper.js'
import { type Server, startRedis, until } from '../support/servers.js'
import { type Exit, runCli, spawnProgram, startService } from '../support/service-process.js'
import { startCluster, startPostgresWithPasswords } from '../support/topologies.js'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const GUIDE = read('docs/least-privilege.md')
const ROLES = 'deploy/postgres-roles.sql'
const GRANTS = 'deploy/postgres-grants.sql'

const NEW_PASSWORD = 'eight dry parasols'
const newSecret = () => randomBytes(16).toString('hex')

t.test('docs/least-privilege.md', async (t) => {
  t.test('shows the files of deploy/ as they are', async (t) => {
    for (const file of [ROLES, GRANTS]) t.equal(inGuide(`file: ${file}`), read(file))
  })

  t.test(
    'grants exactly the rights that the service needs, on a database that a superuser owned before',
    async (t) => {
      const { server, owner, service } = await startRoles(t)
      await migrate({ url: urlOf(server, 'postgres') })
      await psql(urlOf(server, 'postgres'), inGuide('run: hand over'))
      await migrate({ url: owner })
      await psql(owner, inGuide(`file: ${GRANTS}`))
      const redis = await startRedisFor(t, inGuide('acl: single'))

      await doesItsWork(t, { DATABASE_URL: service, REDIS_URL: redis.url }, redis)

      await refusesTheRest(t, { server, service })
      await redis.refusesTheRest()
      await redis.hasNothingToSpare()
    },
  )

  t.test('grants every right that the service needs in a Redis Cluster', async (t) => {
    const { owner, service } = await startRoles(t)
    await migrate({ url: owner })
    await psql(owner, inGuide(`file: ${GRANTS}`))
    const password = newSecret()
    const cluster = await startCluster({ password })
    const admins = cluster.ports.map((port) => new Redis({ port, password }))
    t.teardown(async () => {
      for (const admin of admins) admin.disconnect()
      await cluster.stop()
    })
    const rule = inGuide('acl: cluster').split('\n')[0] ?? ''
    for (const admin of admins) {
      await admin.call('ACL', 'SETUSER', ...rule.replace('>PASSWORD', `>${password}`).split(' ').slice(1))
    }

    const REDIS_URL = `redis://auth_service:${password}@127.0.0.1:${cluster.ports[0]}`
    await doesItsWork(t, { DATABASE_URL: service, REDIS_URL, REDIS_MODE: 'cluster' })

    for (const admin of admins) {
      t.same(await admin.call('ACL', 'LOG'), [], 'nothing that the service asked for was refused')
    }
  })

  t.test('names every table', async (t) => {
    const { server } = await startRoles(t)
    await migrate({ url: urlOf(server, 'postgres') })
    const sql = postgres(urlOf(server, 'postgres'), { max: 1 })
    t.teardown(() => sql.end())

    for (const { name } of await sql`select tablename as name from pg_tables where schemaname = 'public'`) {
      t.match(inGuide(`file: ${GRANTS}`), new RegExp(` ON ${name} TO auth_service;`), name)
      t.match(inGuide('run: hand over'), `ALTER TABLE ${name} OWNER TO auth_owner;`)
    }
  })
})

t.test('exit 1 with one line where the grants have not been run since the migration', async (t) => {
  const { owner, service } = await startRoles(t)
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const env = { DATABASE_URL: service, REDIS_URL: redis.url, JWT_SECRET: SECRET, PORT: '0' }
  await migrate({ url: owner })

  const before = await runCli(['serve'], env)
  await psql(owner, read(GRANTS).replace(/^.* ON service_client .*$/m, ''))
  const half = await runCli(['serve'], env)
  const migrating = await runCli(['migrate'], env)

  for (const { code, stderr } of [before, half]) {
    t.equal(code, 1)
    t.match(stderr, /^auth-service: the database role lacks rights \([^\n]+\n$/)
    t.match(stderr, /run deploy\/postgres-grants\.sql/)
  }
  t.match(before.stderr, /permission denied for table auth_service_migration/)
  t.match(half.stderr, /no SELECT on service_client/)
  t.equal(migrating.code, 0, 'there is nothing to migrate')
})

t.test('exit 1 of migrate with one line for a role that may not make tables', async (t) => {
  const { service } = await startRoles(t)

  const { code, stderr } = await runCli(['migrate'], {
    DATABASE_URL: service,
    REDIS_URL: 'redis://127.0.0.1:1',
  })

  t.equal(code, 1)
  t.match(stderr, /^auth-service: the database role lacks rights \(permission denied for database [^\n]+\n$/)
})

type ComposeName = 'postgres' | 'redis' | 'migrate' | 'grants' | 'auth-service'

interface ComposeService {
  image: string
  command?: string | string[]
  environment?: Record<string, string>
  volumes?: string[]
  healthcheck?: { test: string }
}

t.test('compose.yaml', async (t) => {
  const secrets = await printedSecrets(t)
  const services = composeWith(secrets)

  t.test('requires each of its secrets, and has no other', async (t) => {
    const asked = new Set([...read('compose.yaml').matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name))
    const used = new Set([...read('compose.yaml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name))

    t.same([...asked].sort(), Object.keys(secrets).sort())
    t.same([...used].sort(), [...asked].sort())
    t.equal(new Set(Object.values(secrets)).size, asked.size)
  })

  t.test('gives the password of the superuser to PostgreSQL only', async (t) => {
    const { POSTGRES_PASSWORD = '' } = secrets
    for (const [name, service] of Object.entries(services)) {
      t.equal(JSON.stringify(service).includes(POSTGRES_PASSWORD), name === 'postgres', name)
    }
    t.notOk(JSON.stringify(services['auth-service']).includes(secrets.OWNER_PASSWORD ?? ''))
  })

  t.test('has the ACL of the document', async (t) => {
    const [rule = ''] = inGuide('acl: single').split('\n')
    const words = commandOf(services.redis)

    t.match(
      words.join(' '),
      rule.replace(/^user (\w+) on >PASSWORD/, `--user $1 on >${secrets.REDIS_PASSWORD}`),
    )
    t.match(words.join(' '), '--user default off')
  })

  t.test('runs its commands one after the other, on servers of this test', async (t) => {
    const server = await startPostgresWithPasswords(t)
    const near = (text: string) =>
      text
        .replaceAll('@postgres:5432', `@127.0.0.1:${server.port}`)
        .replaceAll('@redis:6379', `@127.0.0.1:${redis.port}`)
    const environmentOf = ({ environment = {} }: ComposeService) =>
      Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, near(value)]))
    const redis = await startRedis({ args: commandOf(services.redis).slice(1) })
    t.teardown(() => redis.stop())

    // The image runs these scripts for a new volume.
    const { postgres: database, grants } = services
    await psql(urlOf(server, 'postgres', 'postgres'), 'create database auth')
    const [script] = mounted(database, '/docker-entrypoint-initdb.d/')
    await psql(urlOf(server, 'postgres'), read(script ?? ''), environmentOf(database))
    t.equal(await healthOf(services.redis, redis), 0)
    const migrated = await runCli([String(services.migrate.command)], environmentOf(services.migrate))
    t.equal(migrated.code, 0, migrated.stderr)
    const [program = '', ...args] = commandOf(grants)
    const [file] = mounted(grants, '/grants.sql')
    const granted = await spawnProgram(
      program,
      args.map((arg) => arg.replace('/grants.sql', new URL(`../../${file}`, import.meta.url).pathname)),
      { env: { ...environmentOf(grants), PGHOST: '127.0.0.1', PGPORT: String(server.port) } },
    ).exited
    t.equal(granted.code, 0, granted.stderr)

    const env = environmentOf(services['auth-service'])
    await doesItsWork(t, env)
    await refusesTheRest(t, { server, service: env.DATABASE_URL ?? '' })
  })
})

/** The code block of the guide that follows this remark. */
function inGuide(remark: string): string {
  const block = GUIDE.split(`<!-- ${remark} -->\n`)[1] ?? ''
  return /^```\w*\n(.*?)```$/ms.exec(block)?.[1] ?? assert.fail(`the guide has no block: ${remark}`)
}

/** A PostgreSQL with the roles of the guide. */
async function startRoles(t: Test) {
  const server = await startPostgresWithPasswords(t)
  const [OWNER_PASSWORD, SERVICE_PASSWORD] = [newSecret(), newSecret()]
  await psql(urlOf(server, 'postgres', 'postgres'), 'create database auth')
  const passwords = { OWNER_PASSWORD, SERVICE_PASSWORD }
  await psql(urlOf(server, 'postgres'), inGuide(`file: ${ROLES}`), passwords)
  return {
    server,
    owner: urlOf(server, `auth_owner:${OWNER_PASSWORD}`),
    service: urlOf(server, `auth_service:${SERVICE_PASSWORD}`),
  }
}

function urlOf({ port }: Server, who: string, database = 'auth'): string {
  return `postgres://${who}@127.0.0.1:${port}/${database}`
}

async function psql(url: string, script: string, env: Record<string, string> = {}): Promise<void> {
  const args = ['--no-psqlrc', '--set', 'ON_ERROR_STOP=1', url]
  const { code, stderr } = await spawnProgram('psql', args, { env, stdin: script }).exited
  assert.equal(code, 0, stderr)
}

/** A Redis with this ACL file, and a user who may do everything. */
async function startRedisFor(t: Test, file: string) {
  const password = newSecret()
  const users = file.replace('>PASSWORD', `>${password}`).trim().split('\n')
  const admin = ['--user', 'admin', 'on', '>admin', '~*', '&*', '+@all']
  const args = users.flatMap((line) => [`--user`, ...line.split(' ').slice(1)])
  const { port, stop } = await startRedis({ args: [...args, ...admin] })
  const everything = new Redis({ port, username: 'admin', password: 'admin', disableClientInfo: true })
  const url = `redis://auth_service:${password}@127.0.0.1:${port}`
  t.teardown(async () => {
    everything.disconnect()
    await stop()
  })
  return { url, demote, promote, refusesTheRest, hasNothingToSpare }

  /** Makes Redis refuse writes, so that the service asks whether another server is the master. */
  async function demote(): Promise<void> {
    await everything.replicaof('127.0.0.1', 1)
  }

  async function promote(): Promise<void> {
    await everything.replicaof('NO', 'ONE')
  }

  async function refusesTheRest(): Promise<void> {
    t.same(await everything.call('ACL', 'LOG'), [], 'nothing that the service asked for was refused')
    await everything.set('other', 'secret')
    const service = new Redis(url, { disableClientInfo: true })
    t.teardown(() => service.disconnect())
    for (const command of [
      'FLUSHALL',
      'KEYS *',
      'CONFIG GET *',
      'GET other',
      'SET other 1',
      'SCAN 0',
      'ACL LIST',
      'SHUTDOWN',
    ]) {
      const [name = '', ...args] = command.split(' ')
      await t.rejects(service.call(name, ...args), /^ReplyError: NOPERM|NOPERM/, command)
    }
    await t.rejects(service.eval(`return redis.call('GET', KEYS[1])`, 1, 'other'), /can't access|NOPERM|ACL/)
    const nobody = new Redis({
      port,
      disableClientInfo: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
    })
    nobody.on('error', () => undefined)
    await t.rejects(nobody.get('jwt_token:1'))
  }

  /** The service has used every command that it may use. */
  async function hasNothingToSpare(): Promise<void> {
    const stats = await everything.info('commandstats')
    for (const [, command = ''] of users[0]?.matchAll(/ \+(\S+)/g) ?? []) {
      t.match(stats, new RegExp(`^cmdstat_${command.replace('|', '\\|')}:calls=`, 'm'), `+${command} is used`)
    }
  }
}

/** Does everything that needs a right, over HTTP and by commands. */
async function doesItsWork(
  t: Test,
  stores: Record<string, string>,
  failover?: { demote(): Promise<void>; promote(): Promise<void> },
): Promise<void> {
  const env = { ...stores, JWT_SECRET: stores.JWT_SECRET ?? SECRET, BCRYPT_COST: '10' }
  const command = async (args: string[], stdin = '') => {
    const { code, stdout, stderr } = await runCli(args, env, stdin)
    t.equal(code, 0, `${args.slice(0, 2).join(' ')} ${stderr}`)
    return stdout
  }
  await command(['user', 'add', '--mobile', MOBILE], PASSWORD)
  const secret = JSON.parse(
    await command(['client', 'add', 'portal', '--allow', 'users,introspect,revoke', '--json']),
  ).secret as string
  const { url, ...service } = await startService(t, { env })
  const authorization = basic({ name: 'portal', secret })
  const ask = async (status: number, method: string, path: string, options = {}) => {
    const answer = await send(url, method, path, options)
    t.equal(answer.status, status, `${method} ${path} ${answer.text}`)
    return answer.body
  }
  const form = { authorization, 'content-type': 'application/x-www-form-urlencoded' }

  await ask(200, 'GET', '/readyz')
  await ask(401, 'POST', '/login', { body: { mobile: MOBILE, password: NEW_PASSWORD } })
  const earlier = await logIn(url)
  const token = await logIn(url)
  await ask(401, 'GET', '/identify', { token: earlier })
  await ask(200, 'GET', '/identify', { token })
  await ask(200, 'POST', '/verify', { body: { token } })
  t.equal((await ask(200, 'POST', '/introspect', { headers: form, body: `token=${token}` })).active, true)
  await ask(200, 'POST', '/logout', { token })
  await ask(200, 'POST', '/password', {
    token: await logIn(url),
    body: { current: PASSWORD, new: NEW_PASSWORD },
  })
  await ask(200, 'POST', '/revoke', {
    headers: form,
    body: `token=${await logIn(url, { password: NEW_PASSWORD })}`,
  })
  const headers = { authorization }
  const { data } = await ask(200, 'POST', '/users', {
    headers,
    body: { mobile: '+8613900139000', password: PASSWORD },
  })
  await ask(200, 'GET', `/users/${data.user_id}`, { headers })
  await ask(200, 'PATCH', `/users/${data.user_id}`, { headers, body: { status: 'disabled' } })
  await ask(200, 'PATCH', `/users/${data.user_id}`, { headers, body: { status: 'active' } })
  await ask(200, 'PUT', `/users/${data.user_id}/password`, { headers, body: { password: NEW_PASSWORD } })
  await ask(200, 'DELETE', `/users/${data.user_id}/session`, { headers })

  if (failover) {
    await failover.demote()
    await ask(503, 'POST', '/login', { body: { mobile: MOBILE, password: NEW_PASSWORD } })
    await failover.promote()
    await logIn(url, { password: NEW_PASSWORD })
  }

  await command(['user', 'unlock', '--mobile', MOBILE])
  await command(['session', 'end', '--user', '1'])
  await command(['client', 'remove', 'portal'])
  t.notMatch(service.stdout(), /unexpected|cannot read/)
  await service.stop()
}

/** What an attacker with the role of the service would try. */
async function refusesTheRest(
  t: Test,
  { server, service }: { server: Server; service: string },
): Promise<void> {
  await psql(urlOf(server, 'postgres'), 'create table billing (card text); create schema other')
  const sql = postgres(service, { max: 1 })
  t.teardown(() => sql.end())
  for (const statement of [
    'delete from user_login',
    'truncate user_login',
    'drop table user_login',
    'alter table user_login add column x text',
    'update service_client set permissions = $${users}$$',
    'create table mine ()',
    'create temporary table mine ()',
    'create schema mine',
    'create role mine',
    'select * from billing',
    'select * from pg_authid',
    'delete from auth_service_migration',
    'set role auth_owner',
    'set role postgres',
    `copy user_login to '/tmp/stolen'`,
    `select pg_read_file('/etc/passwd')`,
  ]) {
    await t.rejects(sql.unsafe(statement), /denied|must be owner|must be superuser/, statement)
  }
  const [role] = await sql`select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication
    from pg_roles where rolname = current_user`
  t.same(Object.values(role ?? {}), [false, false, false, false, false])
}

/** The secrets that the command in docs/operating.md makes, as docker compose reads them. */
async function printedSecrets(t: Test): Promise<Record<string, string>> {
  const [line = ''] = /^test -e \.env .*?> \.env\)?$/ms.exec(read('docs/operating.md')) ?? []
  const { code, stdout, stderr } = await spawnProgram('sh', ['-c', `${line}\n cat .env; ls -l .env`]).exited
  t.equal(code, 0, stderr)
  t.match(stdout, /^-rw------- .* \.env$/m)
  return Object.fromEntries(
    [...stdout.matchAll(/^(\w+)=(\S+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  )
}

/** The services of compose.yaml, with variables replaced as Compose replaces them. */
function composeWith(variables: Record<string, string>): Record<ComposeName, ComposeService> {
  const text = read('compose.yaml').replace(/\$\$|\$\{(\w+)(?::\?[^}]*)?\}/g, (found, name) =>
    found === '$$' ? '$' : (variables[name] ?? assert.fail(`${name} is not set`)),
  )
  return parse(text, { merge: true }).services
}

function commandOf({ command = [] }: ComposeService): string[] {
  return typeof command === 'string' ? command.split(/\s+/) : command
}

/** The files of the project that a service mounts at this place. */
function mounted({ volumes = [] }: ComposeService, place: string): string[] {
  return volumes
    .map((volume) => volume.split(':'))
    .filter(([, at = '']) => at.startsWith(place))
    .map(([from = '']) => from.replace('./', ''))
}

async function healthOf(
  { healthcheck, environment = {} }: ComposeService,
  { port }: Server,
): Promise<Exit['code']> {
  const test = healthcheck?.test.replace('redis-cli', `redis-cli -p ${port}`) ?? ''
  const { code } = await until(() => spawnProgram('sh', ['-c', test], { env: environment }).exited)
  return code
}
