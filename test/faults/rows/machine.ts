import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from '../../support/servers.js'
import { temporaryDirectory } from '../../support/service-process.js'
import { fault, type Scenario } from '../scenario.js'
import type { Instance } from '../world.js'

/**
 * Faults of both stores at once and of the machine around the service: descriptors, disks, pipes.
 */
export const machineRows: Scenario[] = [
  ...(['PostgreSQL', 'Redis'] as const).map((first) =>
    fault({
      number: 40,
      name: `both stores killed, ${first} back first`,
      lastsMs: 800,
      inject: async ({ world }) => {
        await Promise.all([world.postgres.kill(), world.redis.kill()])
      },
      heal: async ({ world }) => {
        const stores = [world.postgres, world.redis]
        for (const store of first === 'Redis' ? stores.reverse() : stores) await store.start()
      },
    }),
  ),

  fault({
    number: 33,
    name: 'no file descriptor left',
    impossible: () => missing('prlimit'),
    // New connections need new descriptors. Only callers without a kept-alive connection are
    // refused.
    lastsMs: 1500,
    inject: async ({ world, load }) => {
      for (const instance of world.instances) limitDescriptors(instance, instance.usage()?.descriptors ?? 64)
      // Each time, connections beyond the limit cannot be accepted, and get no answer.
      for (let time = 0; time < 5; time++) {
        load.reconnect()
        await sleep(300)
      }
    },
    heal: async ({ world }) => {
      for (const instance of world.instances) limitDescriptors(instance, hardLimit(instance))
    },
  }),

  fullDisk(),
  blockedPipe(),
]

function missing(program: string): string | undefined {
  return findProgram(program) ? undefined : `${program} is not installed`
}

function limitDescriptors({ pid }: Instance, limit: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`])
}

function hardLimit({ pid }: Instance): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'utf8')
  return Number(/^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? 1024)
}

/** Row 34: the disk that both logs are written to is full. */
function fullDisk(): Scenario {
  const directory = join(temporaryDirectory(), 'full')
  return fault({
    number: 34,
    name: 'the disk of the logs is full',
    impossible: () => {
      const { status, stderr } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()])
      return status === 0 ? undefined : `a small disk cannot be mounted: ${stderr}`
    },
    lastsMs: 1000,
    inject: async ({ world }) => {
      execFileSync('mkdir', ['-p', directory])
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', directory])
      const replacement = await world.startInstance({
        under: ['sh', '-c', `exec "$@" >'${directory}/out.log'`, 'sh'],
        env: { USER_ACTION_LOG: `${directory}/action.log`, LOG_LEVEL: 'info' },
      })
      await world.instances[0]?.stop('SIGTERM')
      world.instances[0] = replacement
      execFileSync('sh', ['-c', `head -c 100000 /dev/zero > '${directory}/rest' || true`], {
        stdio: 'ignore',
      })
    },
    touched: ({ load, from }) =>
      load.history.filter(
        ({ instance, kind, invoked }) => instance === 0 && kind === 'login' && invoked > from,
      ).length,
    also: async ({ world }) => {
      const ended = await world.instances[0]?.stop('SIGTERM')
      execFileSync('umount', ['-l', directory])
      return ended?.code === 0 ? [] : [`it ended with ${ended?.code ?? ended?.signal} at SIGTERM`]
    },
  })
}

/** Row 35: standard output is a pipe that nobody reads. */
function blockedPipe(): Scenario {
  return fault({
    number: 35,
    name: 'nobody reads the log',
    lastsMs: 1000,
    inject: async ({ world }) => {
      const pipe = join(temporaryDirectory(), 'pipe')
      execFileSync('mkfifo', [pipe])
      // Open for reading, and never read.
      const reader = spawn('sh', ['-c', `exec sleep 60 < '${pipe}'`], { stdio: 'ignore' })
      process.once('exit', () => reader.kill('SIGKILL'))
      // A pipe holds 64 KiB: it is filled before the service begins to write.
      const fill = `head -c 65536 /dev/zero; exec "$@"`
      const replacement = await world.startInstance({
        under: ['sh', '-c', `exec > '${pipe}'; ${fill}`, 'sh'],
        env: { USER_ACTION_LOG: '-', LOG_LEVEL: 'info' },
      })
      await world.instances[0]?.stop('SIGTERM')
      world.instances[0] = replacement
    },
    touched: ({ load, from }) =>
      load.history.filter(
        ({ instance, kind, invoked }) => instance === 0 && kind === 'login' && invoked > from,
      ).length,
    also: async ({ world }) => {
      const started = performance.now()
      const ended = await world.instances[0]?.stop('SIGTERM')
      const ms = performance.now() - started
      return ended?.code === 0 && ms < 10_000
        ? []
        : [`it ended with ${ended?.code ?? ended?.signal} after ${ms} ms`]
    },
  })
}
