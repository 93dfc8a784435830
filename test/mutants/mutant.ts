import type { Edit } from './plant.js'

/** A mistake that somebody could make, and what should notice it. */
export interface Mutant {
  name: string
  edits: Edit[]
  /** Rows of the fault table by their number and probes by their name, tried in this order. */
  caughtBy: (number | string)[]
  /** The mistake is about time, so that a problem about time counts. Else a busy machine could be taken for a catch. */
  slow?: true
  /** Why nothing can notice it: then it is listed and not run. */
  equivalent?: string
}

export const CHECK = 'sessions/check.js'
export const END = 'sessions/end.js'
export const LOG_IN = 'sessions/log-in.js'
export const PASSWORD_CHANGE = 'sessions/password-change.js'
export const PASSWORD_PROOF = 'sessions/password-proof.js'
export const USERS = 'users/users.js'
export const TOKENS = 'tokens/tokens.js'
export const BATCH = 'sessions/batch.js'
export const PASSWORD_LENGTH = 'passwords/password-length.js'
export const STATEMENTS = 'stores/postgres/account-statements.js'
export const ENTRIES = 'stores/postgres/entries.js'
export const REGISTRY = 'stores/redis/session-registry.js'
export const STORE_CALL = 'stores/store-call.js'
