import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { MOBILE, PASSWORD, send } from '../helper.js'
import { cloneProject, failureOf, startCommands } from '../support/clone.js'
import { freePort, startPostgres, startRedis, until } from '../support/servers.js'
import { temporaryDirectory } from '../support/service-process.js'
import { marked } from '../support/siblings.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

t.test('200 from /login after the commands of docs/operating.md, in a new clone', async (t) => {
  const [postgres, redis, port] = await Promise.all([startPostgres(), startRedis(), freePort()])
  t.teardown(() => Promise.all([postgres.stop(), redis.stop()]))
  const cwd = cloneProject()
  // Instead of `npm ci`, which the test of the README runs.
  symlinkSync(join(ROOT, 'node_modules'), join(cwd, 'node_modules'))
  const commands = marked(readFileSync(join(cwd, 'docs/operating.md'), 'utf8'), 'run: servers')
    .replace('npm ci && ', '')
    .replaceAll('127.0.0.1:5432', `127.0.0.1:${postgres.port}`)
    .replaceAll('127.0.0.1:6379', `127.0.0.1:${redis.port}`)
  const env = {
    npm_config_cache: temporaryDirectory(),
    PGHOST: '127.0.0.1',
    PGPORT: String(postgres.port),
    PGUSER: 'postgres',
    PORT: String(port),
  }

  const service = startCommands(t, commands, { cwd, env, stdin: `${PASSWORD}\n` })
  const url = `http://127.0.0.1:${port}`
  const login = () => send(url, 'POST', '/login', { body: { mobile: MOBILE, password: PASSWORD } })
  const { status } = await Promise.race([until(login, { withinMs: 100_000 }), failureOf(service)])

  t.equal(status, 200)
})
