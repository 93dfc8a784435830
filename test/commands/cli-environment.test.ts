import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environmentOf, startBackends } from '../helper.js'
import { freePort } from '../support/servers.js'
import { CLI, runCli, spawnCli, spawnProgram, temporaryDirectory } from '../support/service-process.js'

t.test('a command without DATABASE_URL and REDIS_URL, where no service has run', async (t) => {
  for (const command of [
    ['user', 'show', '--user', '1'],
    ['client', 'list'],
    ['session', 'end', '--user', '1'],
    ['migrate'],
  ]) {
    t.test(`exit 1 of ${command.join(' ')}, and no data is made`, async (t) => {
      const cwd = temporaryDirectory()

      const { code, stdout, stderr } = await spawnCli(command, { cwd }).exited

      t.equal(code, 1)
      t.match(stderr, /^auth-service: DATABASE_URL and REDIS_URL are not set[^\n]+DATA_DIR[^\n]+\n$/)
      t.equal(stdout, '')
      t.notOk(existsSync(join(cwd, '.data')))
    })
  }
})

t.test('exit 1 within seconds for a store that is away, in words and not in JSON', async (t) => {
  const nobody = await freePort()
  const { databaseUrl, redis } = await startBackends(t)
  const away = {
    PostgreSQL: { DATABASE_URL: `postgres://u@127.0.0.1:${nobody}/d`, REDIS_URL: redis.url },
    Redis: { DATABASE_URL: databaseUrl, REDIS_URL: `redis://127.0.0.1:${nobody}` },
  }
  for (const [store, env] of Object.entries(away)) {
    const began = performance.now()

    const { code, stderr } = await runCli(['user', 'show', '--user', '1'], env)

    t.equal(code, 1)
    t.match(stderr, new RegExp(`^auth-service: waiting for ${store}: connect ECONNREFUSED`))
    t.match(stderr, new RegExp(`\nauth-service: ${store} is not ready after 5 s: [^\n]+\n$`))
    t.notMatch(stderr, '{')
    t.ok(performance.now() - began < 15_000)
  }
})

t.test('client add prints its secret for a user id that has no name', async (t) => {
  const backends = await startBackends(t)
  // As on platforms that choose a user id. Outside of its namespace, it may read what root may.
  const asNobody = ['--user', '--map-user=54321', process.execPath, CLI]
  const env = { ...environmentOf(backends), USER_ACTION_LOG: '-' }

  const { code, stdout, stderr } = await spawnProgram(
    'unshare',
    [...asNobody, 'client', 'add', 'gateway', '--allow', 'introspect'],
    { env },
  ).exited

  t.equal(code, 0, stderr)
  t.match(stdout, /^secret {7}\S{20,}$/m)
  t.match(stderr, /"method":"cli by user 54321"/)
})
