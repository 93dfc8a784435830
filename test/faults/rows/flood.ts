import { setTimeout as sleep } from 'node:timers/promises'
import { login } from '../clients.js'
import { isCheck, type Operation } from '../history.js'
import type { Round } from '../round.js'
import { fault, type Scenario } from '../scenario.js'

/**
 * Logins per second: ten times what one hashing thread at this cost does on a core of the 2020s.
 */
const LOGINS_PER_SECOND = 120

const QUIET_MS = 2500
const FLOOD_MS = 4000

/** Limit of the p99 of checks during the flood, relative to quiet. */
const SLOWER_AT_MOST = 2

/** Row 20: far more logins than can be hashed. They are shed, and checks do not suffer. */
export function floodRow(): Scenario {
  let quiet: Operation[] = []
  let flooded: Operation[] = []
  let logins: Operation[] = []
  return fault({
    number: 20,
    name: 'a flood of logins',
    world: { instances: 1 },
    load: { clients: 4, pauseMs: 10, maxLogins: 0 },
    lastsMs: 0,
    inject: async (round) => {
      const { load } = round
      await logEverybodyIn(round)
      const checksSince = (from: number) =>
        load.history.filter((operation) => isCheck(operation) && operation.invoked > from)
      const began = performance.now()
      await sleep(QUIET_MS)
      quiet = checksSince(began)

      const floodBegan = performance.now()
      logins = await flood(round)
      flooded = checksSince(floodBegan)
      load.history.push(...logins)
    },
    touched: () => logins.filter(({ outcome }) => outcome !== 'ok').length,
    also: () => {
      const ratio = p99(flooded) / p99(quiet)
      const failed = flooded.filter(({ outcome }) => outcome === 'unavailable' || outcome === 'lost').length
      return [
        ...(ratio > SLOWER_AT_MOST
          ? [
              `checks took ${ratio.toFixed(1)} times as long at p99 (${p99(quiet).toFixed(1)} → ${p99(flooded).toFixed(1)} ms)`,
            ]
          : []),
        ...(failed > 0 ? [`${failed} checks failed during the flood`] : []),
      ]
    },
  })
}

async function logEverybodyIn({ world, load }: Round): Promise<void> {
  for (const user of world.users) load.learn(await login(world.instances[0]?.url ?? '', 0, user))
}

async function flood({ world, random }: Round): Promise<Operation[]> {
  const answers: Promise<{ operation: Operation }>[] = []
  const end = performance.now() + FLOOD_MS
  while (performance.now() < end) {
    answers.push(login(world.instances[0]?.url ?? '', 0, random.pick(world.users)))
    await sleep(1000 / LOGINS_PER_SECOND)
  }
  return (await Promise.all(answers)).map(({ operation }) => operation)
}

function p99(operations: readonly Operation[]): number {
  const times = operations.map(({ invoked, returned }) => returned - invoked).sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.99)] ?? Number.POSITIVE_INFINITY
}
