import type { Property } from './properties.js'

/** One variant of the protocol. The recommended one is that of src/sessions/. */
export interface Variant {
  name: string
  /** Which store a login writes first. */
  order: 'D, then R' | 'R, then D'
  /** How R is written: as a max-register, or by overwriting. */
  write: 'join' | 'SET'
  logout: 'tombstone' | 'DEL after D' | 'DEL' | 'DEL if equal'
  recovery: 'off' | 'database'
  /**
   * Whether the variant promises to restore a session that R lost. Equal to recovery, except in a
   * variant whose promise is false.
   */
  claimsRecovery: boolean
  /** Whether an identify that finds R outdated joins what D holds. */
  repairs: boolean
  deadline: boolean
  stamp: 'clock' | 'old + 1'
  comparesSeenStamp: boolean
  canary: boolean
  onCollision: 'repeat' | 'ignore'
  answers: 'after R' | 'before R'
  entryExpires: 'after its token' | 'before its token'
  identifyAsks: 'D and R' | 'D' | 'R'
}

const database: Variant = {
  name: 'recommended, recovery=database',
  order: 'D, then R',
  write: 'join',
  logout: 'tombstone',
  recovery: 'database',
  claimsRecovery: true,
  repairs: true,
  deadline: true,
  stamp: 'clock',
  comparesSeenStamp: true,
  canary: true,
  onCollision: 'repeat',
  answers: 'after R',
  entryExpires: 'after its token',
  identifyAsks: 'D and R',
}
const off: Variant = {
  ...database,
  name: 'recommended, recovery=off',
  recovery: 'off',
  claimsRecovery: false,
  repairs: false,
}
const naive: Variant = {
  ...off,
  write: 'SET',
  logout: 'DEL',
  deadline: false,
  comparesSeenStamp: false,
  canary: false,
}

export const RECOMMENDED: Variant[] = [database, off]

/**
 * A protocol without one of its safeguards, the property that this breaks, and a configuration of
 * faults that shows it.
 */
export interface Weakened extends Variant {
  breaks: Property
  under: string
}

const noFault = 'no fault: 2 logins, logout'
const dLoses = 'D loses commits: 2 logins, logout'

/** The search must find what each of these lacks. */
export const WEAKENED: Weakened[] = [
  { ...naive, name: 'naive: R, then D', order: 'R, then D', breaks: 'L1', under: noFault },
  { ...naive, name: 'naive: D, then R', breaks: 'L1', under: noFault },
  { ...off, name: 'logout is a DEL in R only', logout: 'DEL if equal', breaks: 'S3/S4', under: noFault },
  {
    ...off,
    name: 'no repair, yet L1 is claimed',
    claimsRecovery: true,
    breaks: 'L1',
    under: 'R restarts empty',
  },
  {
    ...database,
    name: 'no deadline in the statement',
    deadline: false,
    breaks: 'L2',
    under: 'late: a revoke',
  },
  {
    ...database,
    name: 'neither deadline nor compare-and-set',
    deadline: false,
    comparesSeenStamp: false,
    breaks: 'L2',
    under: 'late: a time limit passes, a join is sent again',
  },
  { ...database, name: 'stamp = old + 1', stamp: 'old + 1', breaks: 'L2', under: dLoses },
  { ...database, name: 'SET for join, recovery=database', write: 'SET', breaks: 'S3/S4', under: dLoses },
  { ...off, name: 'SET for join, recovery=off', write: 'SET', breaks: 'L1', under: noFault },
  {
    ...database,
    name: 'no tombstone, recovery=database',
    logout: 'DEL after D',
    breaks: 'S3/S4',
    under: dLoses,
  },
  { ...off, name: 'no tombstone, recovery=off', logout: 'DEL after D', breaks: 'S5', under: noFault },
  {
    ...database,
    name: 'collision ignored',
    onCollision: 'ignore',
    breaks: 'L1',
    under: 'D loses a login and issues its stamp again',
  },
  {
    ...database,
    name: 'answers 200 before R, recovery=database',
    answers: 'before R',
    breaks: 'S3/S4',
    under: dLoses,
  },
  { ...off, name: 'answers 200 before R, recovery=off', answers: 'before R', breaks: 'Lin', under: noFault },
  {
    ...database,
    name: 'entry expires first, recovery=database',
    entryExpires: 'before its token',
    breaks: 'S3/S4',
    under: 'tokens expire, D loses commits',
  },
  {
    ...off,
    name: 'entry expires first, recovery=off',
    entryExpires: 'before its token',
    breaks: 'L1',
    under: 'tokens expire',
  },
  { ...database, name: 'no canary', canary: false, breaks: 'canary', under: 'R goes away' },
  { ...database, name: 'identify asks D only', identifyAsks: 'D', breaks: 'S3/S4', under: dLoses },
  { ...database, name: 'identify asks R only', identifyAsks: 'R', breaks: 'L1', under: 'R restarts empty' },
]

/**
 * Safeguards that no single fault needs. The first is a second guard beside the deadline: WEAKENED
 * shows what happens without both.
 */
export const NOT_NEEDED: Variant[] = [
  { ...database, name: 'no compare-and-set on the seen stamp', comparesSeenStamp: false },
  { ...database, name: 'recovery without the repair', repairs: false },
]
