import type { Edit } from './plant.js'

/** A plausible mistake, and what should catch it. */
export interface Mutant {
  name: string
  edits: Edit[]
  /** Rows of the fault table by number and probes by name, in the order in which they are tried. */
  caughtBy: (number | string)[]
  /**
   * The mistake affects timing, so a timing problem counts. Otherwise a busy machine could pass for
   * a catch.
   */
  slow?: true
  /** Why nothing can catch it. Such a mutant is listed, but not run. */
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
