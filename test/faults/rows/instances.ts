import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../../support/servers.js'
import { temporaryDirectory } from '../../support/service-process.js'
import { login } from '../clients.js'
import { startProxy, type TcpProxy } from '../proxy.js'
import type { Round } from '../round.js'
import { fault, type Scenario } from '../scenario.js'
import type { Instance, InstanceOptions } from '../world.js'

/**
 * libfaketime is preloaded without its program, which would be a process between the harness and
 * the instance.
 */
const FAKE_CLOCK = {
  LD_PRELOAD: `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketime.so.1`,
  // Deadlines use the monotonic clock, which no administrator sets.
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
}

/**
 * Faults of the service's own processes: they die, pause, lose time, or get too many requests at
 * once.
 */
export const instanceRows: Scenario[] = [
  fault({
    number: 21,
    name: '200 logins of one user at once',
    lastsMs: 0,
    inject: async ({ world, load }) => {
      const [user] = world.users
      if (!user) return
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, index) => {
          const instance = index % world.instances.length
          return login(world.instances[instance]?.url ?? '', instance, user)
        }),
      )
      load.history.push(...answers.map(({ operation }) => operation))
    },
    touched: ({ load, from, to }) => {
      const hot = load.history.filter(
        ({ kind, invoked }) => kind === 'login' && invoked >= from && invoked <= to,
      )
      return hot.length
    },
  }),

  ...(['database', 'off'] as const).map((recovery) =>
    gated({
      number: 22,
      name: `an instance pauses between its two writes, recovery ${recovery === 'off' ? 'off' : 'on'}`,
      recovery,
      heal: async ({ gate }) => gate.open(),
    }),
  ),

  gated({
    number: 23,
    name: 'an instance dies between its two writes',
    heal: async ({ gate, round: { world } }) => {
      await world.instances[0]?.stop('SIGKILL')
      gate.open()
      world.instances[0] = await world.startInstance()
    },
  }),

  cutAnswers(),

  ...['-1h', '+1h'].map((offset) =>
    fault({
      number: 25,
      name: `the clock of an instance is off by ${offset}`,
      impossible: () => missing('faketime'),
      inject: async (round) => replaceFirst(round, { env: { ...FAKE_CLOCK, FAKETIME: offset } }),
      touched: askedOfFirst,
    }),
  ),

  clockSteps(),

  fault({
    number: 27,
    name: 'SIGTERM under load',
    lastsMs: 500,
    inject: async ({ world }) => {
      const ended = await world.instances[0]?.stop('SIGTERM')
      if (ended?.code !== 0) throw new Error(`exit ${ended?.code ?? ended?.signal}: ${ended?.stderr}`)
    },
    heal: async ({ world }) => {
      world.instances[0] = await world.startInstance()
    },
    also: ({ load }) => {
      // A connection that was never accepted has lost nothing. A request on an accepted one must be
      // answered.
      const cut = load.history.filter(({ outcome, error }) => outcome === 'lost' && error !== 'ECONNREFUSED')
      return cut.length > 0 ? [`${cut.length} requests were cut (${cut[0]?.error})`] : []
    },
  }),

  fault({
    number: 28,
    name: 'SIGKILL under load',
    lastsMs: 500,
    inject: async ({ world }) => void (await world.instances[0]?.stop('SIGKILL')),
    heal: async ({ world }) => {
      world.instances[0] = await world.startInstance()
    },
  }),

  fault({
    number: 36,
    name: 'little memory',
    world: { instance: { nodeArgs: ['--max-old-space-size=128'] } },
    // Three times the load of other rows. Beyond that, the load clients and three instances need
    // more than two cores, and logins wait for them.
    load: { clients: 12, pauseMs: 10 },
    inject: async () => undefined,
    touched: ({ load, from }) => load.history.filter(({ invoked }) => invoked > from).length,
  }),

  fault({
    number: 37,
    name: 'the event loop is blocked for two seconds',
    late: true,
    lastsMs: 2000,
    world: { instance: harmful('spin') },
    inject: async ({ world }) => signalFirst(world.instances),
    touched: ({ load, from, to }) =>
      load.history.filter(
        ({ instance, invoked, returned }) =>
          instance === 0 && returned - invoked > 500 && returned > from && invoked < to,
      ).length,
  }),

  fault({
    number: 37,
    name: 'the event loop is blocked and a supervisor restarts it',
    late: true,
    lastsMs: 0,
    world: { instance: harmful('spin') },
    inject: async ({ world }) => {
      signalFirst(world.instances)
      await sleep(50)
      // A supervisor kills a process that twice in a row gives no answer.
      for (let time = 0; time < 2; time++) {
        if (await isAlive(world.instances[0]?.url)) throw new Error('a blocked process answered /livez')
      }
      await world.instances[0]?.stop('SIGKILL')
    },
    heal: async ({ world }) => {
      world.instances[0] = await world.startInstance()
    },
  }),

  fault({
    number: 38,
    name: 'the hashing threads die',
    world: { instance: harmful('kill-workers') },
    load: { maxLogins: 6 },
    inject: async ({ world, load, from }) => {
      // Repeat until a thread at work is hit: the death of an idle thread goes unnoticed.
      const end = performance.now() + 5000
      while (performance.now() < end && !load.history.some(failedLogin(from))) {
        for (const { pid } of world.instances) process.kill(pid, 'SIGWINCH')
        await sleep(50)
      }
    },
    touched: ({ load, from }) => load.history.filter(failedLogin(from)).length,
  }),

  fault({
    number: 39,
    name: 'a rejection that nobody handles',
    world: { instance: harmful('reject') },
    lastsMs: 300,
    inject: async ({ world }) => {
      signalFirst(world.instances)
      const ended = await world.instances[0]?.exited
      if (ended?.code !== 1 || !/unexpected error/.test(ended.stdout)) {
        throw new Error(`it did not end for a restart: ${ended?.code} ${ended?.stdout}${ended?.stderr}`)
      }
    },
    heal: async ({ world }) => {
      world.instances[0] = await world.startInstance()
    },
  }),
]

async function isAlive(url = ''): Promise<boolean> {
  const answer = fetch(`${url}/livez`, { signal: AbortSignal.timeout(500) })
  return answer.then(
    ({ ok }) => ok,
    () => false,
  )
}

const failedLogin = (from: number) => (operation: { kind: string; outcome: string; invoked: number }) =>
  operation.kind === 'login' && operation.outcome === 'unavailable' && operation.invoked > from - 500

function preload(name: string): string[] {
  return ['--import', fileURLToPath(new URL(`../preload/${name}.mjs`, import.meta.url))]
}

function harmful(harm: string): InstanceOptions {
  return { nodeArgs: preload('on-signal'), env: { HARM: harm } }
}

function signalFirst([instance]: Instance[]): void {
  if (instance) process.kill(instance.pid, 'SIGWINCH')
}

async function replaceFirst({ world }: Round, options: InstanceOptions): Promise<void> {
  const replacement = await world.startInstance(options)
  await world.instances[0]?.stop('SIGTERM')
  world.instances[0] = replacement
}

function askedOfFirst({ load, from }: Round): number {
  return load.history.filter(
    ({ instance, invoked, outcome }) => instance === 0 && invoked > from && outcome !== 'lost',
  ).length
}

function missing(program: string): string | undefined {
  return findProgram(program) ? undefined : `${program} is not installed`
}

interface Gate {
  open(): void
}

/**
 * Rows 22 and 23: logins of the first instance stop after their commit; others log the same users
 * in meanwhile.
 */
function gated({
  heal,
  recovery = 'database',
  ...row
}: {
  number: number
  name: string
  recovery?: 'off' | 'database'
  heal(parts: { gate: Gate; round: Round }): Promise<void>
}): Scenario {
  const file = join(temporaryDirectory(), 'gate')
  const gate = { open: () => rmSync(file, { force: true }) }
  return fault({
    ...row,
    lastsMs: 1500,
    world: { users: 4, recovery },
    inject: async (round) => {
      writeFileSync(file, 'closed')
      await replaceFirst(round, { nodeArgs: preload('gate'), env: { GATE_FILE: file } })
    },
    heal: (round) => heal({ gate, round }),
  })
}

/**
 * Row 24: the answers to logins are lost on the way, after the login has taken effect, and clients
 * try again.
 */
function cutAnswers(): Scenario {
  const proxies: TcpProxy[] = []
  return fault({
    number: 24,
    name: 'the answers to logins are lost',
    lastsMs: 2500,
    inject: async ({ world, random }) => {
      for (const instance of world.instances) {
        const passes = (_: Buffer, sent: string) => !sent.startsWith('POST /login') || random.chance(0.5)
        const proxy = await startProxy(Number(new URL(instance.url).port), passes)
        proxies.push(proxy)
        instance.url = `http://127.0.0.1:${proxy.port}`
      }
    },
    also: () => {
      for (const proxy of proxies.splice(0)) proxy.close()
      return []
    },
  })
}

/** Row 26: the wall clock of an instance jumps an hour back and two ahead while it works. */
function clockSteps(): Scenario {
  const file = join(temporaryDirectory(), 'clock')
  const step = (offset: string) => writeFileSync(file, `${offset}\n`)
  return fault({
    number: 26,
    name: 'the clock of an instance steps while it works',
    impossible: () => missing('faketime'),
    lastsMs: 500,
    inject: async (round) => {
      step('+0')
      await replaceFirst(round, {
        env: {
          ...FAKE_CLOCK,
          FAKETIME_TIMESTAMP_FILE: file,
          FAKETIME_NO_CACHE: '1',
        },
      })
      for (const offset of ['-1h', '+1h', '+0']) {
        step(offset)
        await sleep(600)
      }
    },
    touched: askedOfFirst,
  })
}
