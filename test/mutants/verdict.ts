import { setTimeout as sleep } from 'node:timers/promises'
import { SCENARIOS } from '../faults/rows.js'
import type { Mutant } from './mutant.js'
import { PROBES } from './probes.js'

/** Seeds of a row, one after the other: where the clients' luck of one misses, that of the next may hit. */
const SEEDS = [1, 2]

/** None takes half of this. */
const LIMIT_MS = 60_000

/** One way of looking for a mistake. */
export interface Attempt {
  name: string
  run(cli: string): Promise<string[]>
}

export interface Finding {
  /** `failed`: the scenario itself fell over, which says nothing about what it looks for. */
  kind: 'passed' | 'blamed' | 'failed'
  /** The first problem. */
  problem: string
}

/** What a busy machine can cause without any mistake. */
const ABOUT_TIME = /^L3|^recovery took|^a refusal took|descriptors are open$|^memory grew/

/** What says that the scenario was not what it should be, and nothing of the service. */
const NO_EVIDENCE = /^the fault touched no request|^an instance has ended/

/** In the order in which a mutant names them. @throws for a row or a probe that there is not */
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

/** Runs one attempt. @param slow whether problems about time count */
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
