import { abuseRows } from './rows/abuse.js'
import { clusterRow } from './rows/cluster.js'
import { floodRow } from './rows/flood.js'
import { instanceRows } from './rows/instances.js'
import { machineRows } from './rows/machine.js'
import { manySessionsRows } from './rows/many-sessions.js'
import { networkRows } from './rows/network.js'
import { postgresRows } from './rows/postgres.js'
import { redisRows } from './rows/redis.js'
import type { Scenario } from './scenario.js'

/** Every fault of the table, in its order. */
export const SCENARIOS: Scenario[] = [
  ...redisRows,
  ...postgresRows,
  ...instanceRows,
  ...machineRows,
  ...networkRows,
  ...abuseRows,
  clusterRow(),
  ...manySessionsRows,
  floodRow(),
].sort((a, b) => a.number - b.number)

/**
 * The scenarios of every test run: those that say most about the protocol in a minute, and need
 * nothing installed.
 */
export const SHORT_SELECTION: Scenario[] = [
  'Redis hangs',
  'Redis restarts empty, recovery on',
  'PostgreSQL fails over and has lost the last commits',
  'an instance dies between its two writes',
  'SIGTERM under load',
  'both stores killed, Redis back first',
].map(named)

function named(wanted: string): Scenario {
  const found = SCENARIOS.find(({ name }) => name === wanted)
  if (!found) throw new Error(`there is no scenario "${wanted}"`)
  return found
}
