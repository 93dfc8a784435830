import { type Row, runRow, type Verdict } from './round.js'
import type { WorldOptions } from './world.js'

/** The options of one run. */
export interface ScenarioOptions {
  seed: number
  /** The built command line to run, if not the usual one: that of a mutant. */
  cli?: string
}

/** A fault of the table, as the runner sees it. */
export interface Scenario {
  number: number
  name: string
  /** Why this machine cannot run it, or undefined. */
  impossible?: (() => string | undefined) | undefined
  run(options: ScenarioOptions): Promise<Verdict>
}

/** The usual scenario: a fault under load, then a judgement of the history. */
export function fault(row: Row): Scenario {
  const { number, name, impossible } = row
  const run = ({ seed, cli }: ScenarioOptions) => {
    const options: WorldOptions = cli === undefined ? {} : { cli }
    return runRow(row, seed, options)
  }
  return { number, name, impossible, run }
}
