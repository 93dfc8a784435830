import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { endGroup } from '../support/clone.js'
import { bannerOf } from '../support/embedded-home.js'
import { freePort, reachable, until } from '../support/servers.js'
import { spawnProgram, temporaryDirectory } from '../support/service-process.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** How long the port may be in use after SIGTERM, in milliseconds. */
const STOP_LIMIT_MS = 5000

t.test('npx, exit 1 with what to do before the build, and the command after it', async (t) => {
  const checkout = temporaryDirectory()
  for (const part of ['package.json', 'bin']) {
    cpSync(join(ROOT, part), join(checkout, part), { recursive: true })
  }
  const env = { npm_config_cache: temporaryDirectory() }
  const version = () => spawnProgram('npx', ['auth-service', '--version'], { cwd: checkout, env }).exited

  t.match(await version(), { code: 1, stderr: 'auth-service: not built yet: run npm run build\n' })

  symlinkSync(join(ROOT, 'dist'), join(checkout, 'dist'))
  t.match(await version(), { code: 0, stdout: '0.1.0\n' })
})

t.test('SIGTERM ends the service and frees its port', async (t) => {
  t.test('sent to npm start', async (t) => {
    // Without prestart: the service is built.
    const { end, service, port } = await start(t, 'npm', ['start', '--ignore-scripts'])

    await end()

    await gone(t, service, port)
  })

  t.test('sent to npx auth-service serve', async (t) => {
    const { end, service, port } = await start(t, 'npx', ['auth-service', 'serve'])

    await end()

    await gone(t, service, port)
  })

  t.test('sent to npm run dev', async (t) => {
    const { end, service, port } = await start(t, 'npm', ['run', 'dev', '--ignore-scripts'])

    await end()

    await gone(t, service, port)
  })
})

/**
 * Starts the service in embedded mode through npm. `end` sends SIGTERM to npm's own process, and
 * waits for all that writes to npm's output.
 */
async function start(t: Test, program: string, args: string[]) {
  const port = await freePort()
  const env = {
    npm_config_cache: temporaryDirectory(),
    DATA_DIR: join(temporaryDirectory(), 'data'),
    USER_ACTION_LOG: '-',
    PORT: String(port),
  }
  const npm = spawnProgram(program, args, { cwd: ROOT, env, ownSession: true })
  t.teardown(() => endGroup(npm.pid))
  await until(() => reachable(port), { withinMs: 70_000 })
  const service = Number(/"pid":(\d+)/.exec(await bannerOf(npm))?.[1])
  const end = () => {
    process.kill(npm.pid, 'SIGTERM')
    return npm.exited
  }
  return { end, service, port }
}

async function gone(t: Test, service: number, port: number): Promise<void> {
  await until(
    () => {
      if (isRunning(service)) throw new Error(`process ${service} still runs`)
    },
    { withinMs: STOP_LIMIT_MS },
  )
  await t.rejects(reachable(port), 'nothing listens')
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
