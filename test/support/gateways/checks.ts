import type { Test } from 'tap'
import { checkIdentity } from './check-identity.js'
import { checkOutages, type OutageAnswers } from './check-outages.js'
import { checkRefusals } from './check-refusals.js'
import { checkRequests } from './check-requests.js'
import type { Gateway } from './gateway.js'
import type { Platform } from './platform.js'

/** How gateways differ, as their READMEs say. */
export interface Traits {
  /** Whether the client gets the refusal of the service itself, with its reason. */
  refusesVerbatim: boolean
  /** Whether connections to the service are kept open. */
  keepsConnections: boolean
  /** How a path arrives at the app, by how it was sent; undefined where it is refused. */
  paths: Record<string, string | undefined>
  outages: OutageAnswers
}

/** What every example promises, with the real program. Outages come last: they end the service. */
export async function checkGateway(t: Test, platform: Platform, gateway: Gateway, traits: Traits) {
  await t.test('identity', (t) => checkIdentity(t, platform, gateway, traits))
  await t.test('refusals', (t) => checkRefusals(t, platform, gateway, traits))
  await t.test('requests', (t) => checkRequests(t, platform, gateway, traits))
  await t.test('outages', (t) => checkOutages(t, platform, gateway, traits.outages))
}
