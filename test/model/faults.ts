import type { Property } from './properties.js'
import type { Faults } from './state.js'

/**
 * A call of the service. Calls may come in any order and overlap. Logins come first: their index
 * gives the letter of their session.
 */
export type Call = { kind: 'login' } | { kind: 'logout'; of: number } | { kind: 'revoke' }

export interface Configuration {
  name: string
  calls: Call[]
  faults: Partial<Faults>
  /**
   * Tokens expire, in the order in which they were issued or in any order; R's entries expire after
   * them.
   */
  expiry?: 'in order' | 'any order'
  /** D's clock stands still, so that a lost stamp is issued again. */
  clockStandsStill?: boolean
  /** D can lose only its last commit. */
  losesLastOnly?: boolean
  /** `quick` is part of the quick run; `thorough` is explored for the recommended protocol only. */
  effort?: 'quick' | 'thorough'
}

const [A, B] = [0, 1]
const login: Call = { kind: 'login' }
const logout = (of: number): Call => ({ kind: 'logout', of })
const revoke: Call = { kind: 'revoke' }
const two = [login, login]
const twoAndLogout = [login, login, logout(A)]
const three = [login, login, login]
const threeAndLogout = [...three, logout(A)]

/**
 * No fault, or the fault of one store: the recommended protocol holds in each. Late and repeated
 * joins, crashes and time limits are not faults of a store, and may be combined with one.
 */
export const SINGLE: Configuration[] = [
  { name: 'no fault: 2 logins, logout', calls: twoAndLogout, faults: {}, effort: 'quick' },
  { name: 'no fault: 2 logins, both logged out', calls: [...two, logout(A), logout(B)], faults: {} },
  { name: 'no fault: 2 logins, revoke', calls: [...two, revoke], faults: {}, effort: 'quick' },
  {
    name: 'no fault: login, the same logout twice, revoke',
    calls: [login, logout(A), logout(A), revoke],
    faults: {},
  },
  { name: 'no fault: 3 logins', calls: three, faults: {}, effort: 'quick' },
  { name: 'no fault: 3 logins, logout', calls: threeAndLogout, faults: {}, effort: 'thorough' },
  {
    name: 'late: a time limit passes, a join is sent again',
    calls: two,
    faults: { timeout: 1, resend: 1 },
    effort: 'quick',
  },
  {
    name: 'late: the same with a logout',
    calls: twoAndLogout,
    faults: { timeout: 1, resend: 1 },
    effort: 'thorough',
  },
  { name: 'late: a revoke', calls: [...two, revoke], faults: { timeout: 1 }, effort: 'quick' },
  { name: 'late: two time limits pass', calls: twoAndLogout, faults: { timeout: 2 } },
  { name: 'an instance crashes', calls: twoAndLogout, faults: { crash: 1 }, effort: 'quick' },
  { name: 'an instance crashes, a time limit passes', calls: twoAndLogout, faults: { crash: 1, timeout: 1 } },
  { name: 'R restarts empty', calls: twoAndLogout, faults: { wipeR: 1 }, effort: 'quick' },
  {
    name: 'R restarts empty, a join is sent again',
    calls: twoAndLogout,
    faults: { wipeR: 1, resend: 1 },
    effort: 'thorough',
  },
  { name: 'R falls back to an older entry', calls: twoAndLogout, faults: { fallBackR: 1 }, effort: 'quick' },
  { name: 'R falls back twice', calls: twoAndLogout, faults: { fallBackR: 2 }, effort: 'thorough' },
  { name: 'R goes away', calls: twoAndLogout, faults: { awayR: 1 }, effort: 'quick' },
  { name: 'D loses commits: 2 logins, logout', calls: twoAndLogout, faults: { loseD: 1 }, effort: 'quick' },
  {
    name: 'D loses commits: 2 logins, revoke',
    calls: [...two, revoke],
    faults: { loseD: 1 },
    effort: 'thorough',
  },
  { name: 'D loses commits: 3 logins', calls: three, faults: { loseD: 1 }, effort: 'thorough' },
  { name: 'D loses commits, a time limit passes', calls: two, faults: { loseD: 1, timeout: 1 } },
  {
    name: 'D loses a login and issues its stamp again',
    calls: two,
    faults: { loseD: 1 },
    clockStandsStill: true,
    losesLastOnly: true,
    effort: 'quick',
  },
  {
    name: 'D loses a login and issues its stamp again: 3 logins',
    calls: three,
    faults: { loseD: 1 },
    clockStandsStill: true,
    losesLastOnly: true,
    effort: 'thorough',
  },
  { name: 'tokens expire', calls: twoAndLogout, faults: {}, expiry: 'in order', effort: 'quick' },
  {
    name: 'tokens expire, joins are late',
    calls: two,
    faults: { timeout: 1, resend: 1 },
    expiry: 'in order',
  },
  {
    name: 'tokens expire, D loses commits',
    calls: twoAndLogout,
    faults: { loseD: 1 },
    expiry: 'in order',
    effort: 'quick',
  },
  {
    name: 'tokens expire, joins are late, D loses commits',
    calls: twoAndLogout,
    faults: { loseD: 1, resend: 1 },
    expiry: 'in order',
    effort: 'thorough',
  },
  {
    name: 'D loses commits, joins are late: 2 logins, logout',
    calls: twoAndLogout,
    faults: { loseD: 1, resend: 1, timeout: 1 },
    effort: 'thorough',
  },
]

/**
 * Several faults at once, and what they break in the recommended protocol with recovery on and off.
 */
export interface Beyond extends Configuration {
  breaks: { database: Property[]; off: Property[] }
}

/** Configurations beyond what is promised, stated rather than hidden. */
export const BEYOND: Beyond[] = [
  {
    name: 'double fault: R falls back and D loses commits',
    calls: twoAndLogout,
    faults: { fallBackR: 1, loseD: 1 },
    breaks: { database: ['S3/S4'], off: ['S3/S4'] },
    effort: 'quick',
  },
  {
    name: 'D loses a logout and its clock stands still',
    calls: [login, login, logout(A)],
    faults: { loseD: 1 },
    clockStandsStill: true,
    losesLastOnly: true,
    breaks: { database: ['L2', 'S5'], off: ['L2', 'S5'] },
    effort: 'quick',
  },
  {
    name: 'token lifetime was shortened, D loses commits',
    calls: two,
    faults: { loseD: 1 },
    expiry: 'any order',
    breaks: { database: ['S3/S4'], off: [] },
    effort: 'quick',
  },
  {
    name: 'D executes a statement twice',
    calls: two,
    faults: { twice: 1 },
    breaks: { database: [], off: [] },
    effort: 'quick',
  },
]
