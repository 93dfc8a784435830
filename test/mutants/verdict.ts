import { setTimeout as sleep } from 'node:timers/promises'
import { SCENARIOS } from '../faults/rows.js'
import type { Mutant } from './mutant.js'
import { PROBES } from './probes.js'

/** Seeds of a row, one after the other: what one misses, the next may hit. */
const SEEDS = [1, 2]

/** Time limit of an attempt, in milliseconds. None takes half of it. */
const LIMIT_MS = 60_000

/** One way to catch a mistake. */
export interface Attempt {
  name: string
  run(cli: string): Promise<string[]>
}

export interface Finding {
  /** `failed`: the scenario itself failed, which says nothing about the mistake. */
  kind: 'passed' | 'blamed' | 'failed'
  /** The first problem. */
  problem: string
}

/** Problems that a busy machine causes without any mistake. */
const ABOUT_TIME = /^L3|^recovery took|^a refusal took|descriptors are open$|^memory grew/

/** Problems of the scenario itself, which say nothing about the service. */
const NO_EVIDENCE = /^the fault touched no request|^an instance has ended/

/** The attempts for a mutant, in its order. @throws Error for an unknown row or probe */
export function attemptsOf({ caughtBy }: Mutant): Attempt[] {
  return caughtBy.flatMap((wanted) => (typeof wanted === 'number' ? ofRow(wanted) : [ofProbe(wanted)]))
}

function ofRow(number: number): Attempt[] {
  const rows = SCENARIOS.filter((row) => row.number === number)
  if (rows.length === 0) throw new Error(`there is no row ${number}`)
  return SEEDS.flatMap((seed) =>
    rows.map(({ name, run }) => ({
      name: `row ${number} (${name}), seed ${seed}`,
      run: async (cli: string) => (await run({ seed, cli })).problems,
    })),
  )
}

function ofProbe(wanted: string): Attempt {
  const found = PROBES.find(({ name }) => name === wanted)
  if (!found) throw new Error(`there is no probe "${wanted}"`)
  return { name: `probe "${wanted}"`, run: found.run }
}

/** Runs one attempt. @param slow whether timing problems count */
export async function findingOf(attempt: Attempt, cli: string, slow = false): Promise<Finding> {
  try {
    const problems = await Promise.race([attempt.run(cli), giveUp()])
    const [problem] = problems.filter((text) => !NO_EVIDENCE.test(text) && (slow || !ABOUT_TIME.test(text)))
    return problem === undefined ? { kind: 'passed', problem: '' } : { kind: 'blamed', problem }
  } catch (error) {
    return { kind: 'failed', problem: (error as Error).message }
  }
}

async function giveUp(): Promise<never> {
  await sleep(LIMIT_MS, undefined, { ref: false })
  throw new Error(`not over after ${LIMIT_MS / 1000} s`)
}
