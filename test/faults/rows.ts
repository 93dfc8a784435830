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

/** What belongs to every run of the tests: the scenarios that say most about the protocol and need nothing installed. */
export const SHORT_SELECTION: Scenario[] = [
  'Redis killed',
  'Redis hangs',
  'Redis restarts empty, recovery on',
  'Redis restored from an old dump, recovery off',
  'Redis fails over to a stale replica',
  'Redis demoted under its clients',
  'Redis out of memory',
  'PostgreSQL killed',
  'half of the connections to PostgreSQL hang',
  'PostgreSQL read-only',
  'PostgreSQL fails over and has lost the last commits',
  '200 logins of one user at once',
  'an instance pauses between its two writes, recovery off',
  'an instance dies between its two writes',
  'the answers to logins are lost',
  'SIGTERM under load',
  'the hashing threads die',
  'both stores killed, Redis back first',
].map(named)

function named(wanted: string): Scenario {
  const found = SCENARIOS.find(({ name }) => name === wanted)
  if (!found) throw new Error(`there is no scenario "${wanted}"`)
  return found
}
