import { execFileSync, spawn } from 'node:child_process'
import { connect as openSocket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findProgram, freePort, until } from '../../support/servers.js'
import type { Verdict } from '../round.js'
import { fault, type Scenario } from '../scenario.js'
import { createWorld } from '../world.js'

/** Faults on the way to the stores: a store is not there yet, or the network is cut silently. */
export const networkRows: Scenario[] = [
  notThereYet(1, 'Redis'),
  notThereYet(12, 'PostgreSQL'),
  cutLink('PostgreSQL and Redis'),
]

/** Rows 1 and 12: the service is started first, the store two seconds later. */
function notThereYet(number: number, store: 'Redis' | 'PostgreSQL'): Scenario {
  const name = `${store} comes after the service`
  return { number, name, run }

  async function run({ seed, cli }: { seed: number; cli?: string }): Promise<Verdict> {
    const world = await createWorld({ instances: 0, ...(cli === undefined ? {} : { cli }) })
    try {
      const away = store === 'Redis' ? world.redis : world.postgres
      await away.kill()
      const starting = world.startInstance()
      await sleep(2000)
      await away.start()
      const back = performance.now()
      const instance = await starting
      const recoveryMs = performance.now() - back
      const waiting = instance.stdout().match(/waiting for/g)?.length ?? 0
      const problems = [
        ...(recoveryMs > 1000 ? [`it listened ${Math.round(recoveryMs)} ms after the store was there`] : []),
        ...(waiting < 2 || waiting > 4 ? [`it said ${waiting} times in two seconds what it waits for`] : []),
      ]
      const figures = {
        requests: 1,
        touched: waiting,
        wrong200: 0,
        wrong401: 0,
        slowestMs: 0,
        slowestLoginMs: 0,
      }
      return { row: number, name, seed, ...figures, recoveryMs, problems }
    } finally {
      await world.dispose()
    }
  }
}

/**
 * Row 15: packets vanish in both directions, and no connection is closed. The way to the stores
 * leads through a network namespace.
 */
function cutLink(stores: string): Scenario {
  const namespace = `auth-faults-${process.pid}`
  const [near, far] = ['10.231.7.1', '10.231.7.2']
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' })
  const row = fault({
    number: 15,
    name: `the network to ${stores} is cut`,
    lastsMs: 6000,
    world: {
      postgresArgs: ['-h', `127.0.0.1,${near}`],
      redisArgs: ['--bind', '127.0.0.1', near, '--protected-mode', 'no'],
      through: async ({ postgres, redis }) => {
        const ports = [await freePort(), await freePort()]
        const relay = fileURLToPath(new URL('../preload/relay.mjs', import.meta.url))
        const pairs = [ports[0], near, postgres.port, ports[1], near, redis.port].map(String)
        const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, relay, far, ...pairs], {
          stdio: 'ignore',
        })
        process.once('exit', () => child.kill('SIGKILL'))
        await until(() => reachable(far, ports[1] ?? 0))
        return {
          databaseUrl: `postgres://postgres@${far}:${ports[0]}/postgres`,
          redisUrl: `redis://${far}:${ports[1]}`,
        }
      },
    },
    inject: async () => void ip('-n', namespace, 'link', 'set', 'inside', 'down'),
    heal: async () => void ip('-n', namespace, 'link', 'set', 'inside', 'up'),
  })
  return {
    ...row,
    impossible: () => {
      if (process.getuid?.() !== 0 || !findProgram('ip'))
        return 'it takes root and ip (iproute2) to make a network'
      try {
        ip('netns', 'add', namespace)
        ip('netns', 'del', namespace)
        return undefined
      } catch (error) {
        return `no network can be made here: ${(error as { stderr?: Buffer }).stderr}`
      }
    },
    async run(options) {
      ip('netns', 'add', namespace)
      try {
        ip('link', 'add', 'auth-outside', 'type', 'veth', 'peer', 'name', 'inside', 'netns', namespace)
        ip('addr', 'add', `${near}/24`, 'dev', 'auth-outside')
        ip('-n', namespace, 'addr', 'add', `${far}/24`, 'dev', 'inside')
        ip('link', 'set', 'auth-outside', 'up')
        ip('-n', namespace, 'link', 'set', 'inside', 'up')
        return await row.run(options)
      } finally {
        // Explicitly, because the kernel may clear the namespace later, and the next round uses the
        // same names.
        ip('link', 'del', 'auth-outside')
        for (const pid of execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).split(
          '\n',
        )) {
          if (pid) process.kill(Number(pid), 'SIGKILL')
        }
        ip('netns', 'del', namespace)
      }
    },
  }
}

function reachable(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(port, host)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}
