import type { State } from './state.js'

/** The steps of the service, by the names that comments in src use. */
export const SERVICE_STEPS = [
  'login reads D',
  'canary join',
  'commit in D',
  'login reads D again',
  'join',
  'repeat above the collided stamp',
  'answer 200',
  'answer 503',
  'logout reads D',
  'logout reads D again',
  'end in D',
  'join what D holds',
  'revoke reads D',
  'revoke in D',
  'identify reads D',
  'identify reads R',
  'identify answers',
  'repair',
] as const

/** What happens to the service. */
export const MISHAPS = [
  'the deadline passes',
  'the reply is lost',
  'the instance crashes',
  'the instance crashes before it sends',
  'R restarts empty',
  'R falls back',
  'R goes away',
  'R entry expires',
  'the token expires',
  'D loses its last commits',
] as const

/** The steps of weakened variants only. */
export const WEAKENED_STEPS = ['login writes R first', 'logout leaves D alone', 'DEL'] as const

export type StepName =
  | (typeof SERVICE_STEPS)[number]
  | (typeof MISHAPS)[number]
  | (typeof WEAKENED_STEPS)[number]

/** What a property needs to know of a step, beyond the states before and after it. */
export type Observation =
  | { kind: 'commit'; operation: number; stamp: number; before: string }
  | { kind: 'identify'; login: number; after: number; accepted: boolean }

export interface Step {
  /** Who takes it: A, logout(A), identify(A), or the store. */
  who: string
  name: StepName
  /** The result, for the reader of a trace. */
  outcome: string
  state: State
  observed?: Observation
}
