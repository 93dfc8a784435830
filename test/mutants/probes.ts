import type { Probe } from './probe.js'
import { endingProbes } from './probes/endings.js'
import { gatewayProbes } from './probes/gateways.js'
import { keyProbes } from './probes/keys.js'
import { outageProbes } from './probes/outages.js'
import { tokenProbes } from './probes/tokens.js'
import { userProbes } from './probes/users.js'
import { witnessProbes } from './probes/witnesses.js'

/** All probes. */
export const PROBES: Probe[] = [
  ...tokenProbes,
  ...keyProbes,
  ...witnessProbes,
  ...endingProbes,
  ...outageProbes,
  ...gatewayProbes,
  ...userProbes,
]
