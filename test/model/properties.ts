import type { Call, Configuration } from './faults.js'
import { accepts } from './identify.js'
import { isLinearizable } from './linearizable.js'
import type { Model } from './operations.js'
import { isRunning, type Operation, type State, sessionOf, stampOf } from './state.js'
import type { Observation, Step } from './steps.js'

/** The guarantees of the protocol, by their names in its description. */
export const PROPERTIES = {
  S1: 'at most one token of a user is acceptable at any instant',
  S2: 'stamps of a user strictly increase and are never used again',
  'S3/S4':
    'what an answered login superseded, or an answered logout or revoke ended, is never accepted again',
  S5: 'a logout never ends another session',
  S6: 'a token becomes known only when its login is committed in D and has reached R',
  S8: 'the stamp in R never exceeds the largest that was committed in D',
  L1: 'once faults stop, the last effective login is logged in, if it was acknowledged and nothing ended it',
  L2: 'an operation answered before another began cannot undo it later',
  '503': 'an operation answered 503 takes effect before that answer or not at all',
  L3: 'no request waits for ever',
  Lin: 'every answer of identify fits some order of the operations, while D loses nothing',
  canary: 'a login called while R is away leaves D as it was',
} as const

export type Property = keyof typeof PROPERTIES

/** The properties that a state breaks, however it was reached. */
export function brokenIn(state: State, model: Model): Property[] {
  const broken: Property[] = []
  if (acceptable(state, model).length > 1) broken.push('S1')
  if (stampOf(state.R) > state.highest) broken.push('S8')
  const dead = deadAlthoughLast(state, model)
  if (dead) broken.push(dead)
  return broken
}

/** The properties that a step breaks. */
export function brokenBy(before: State, { state, observed }: Step, model: Model): Property[] {
  const broken: Property[] = []
  const { variant, configuration } = model
  if (answeredTooEarly(before, state, configuration.calls)) broken.push('S6')
  if (observed?.kind === 'commit') {
    const { operation, stamp } = observed
    if (stamp <= before.highest && !configuration.clockStandsStill) broken.push('S2')
    if (before.operations[operation]?.phase === '503') broken.push('503')
    if (endsAnother(observed, before, configuration)) broken.push('S5')
    if (configuration.calls[operation]?.kind === 'login' && state.operations[operation]?.whileAway)
      broken.push('canary')
  }
  if (observed?.kind === 'identify') {
    if (observed.accepted && isOver(state, observed, configuration.calls)) broken.push('S3/S4')
    // With recovery off, a session that R lost is refused although the register has it. That is
    // permitted.
    const isPromised =
      state.lossesOfD === 0 && (observed.accepted || variant.claimsRecovery || state.lossesOfR === 0)
    if (isPromised && !isLinearizable(state.operations, observed, configuration.calls)) broken.push('Lin')
  }
  return broken
}

/** The logins whose tokens identify would accept now. */
function acceptable({ operations, R, D }: State, { variant, configuration }: Model): Operation[] {
  return operations.filter(
    ({ phase, expired, row }, index) =>
      configuration.calls[index]?.kind === 'login' &&
      phase === '200' &&
      !expired &&
      accepts(variant, R, D, row),
  )
}

function endsAnother(
  { operation, before }: Extract<Observation, { kind: 'commit' }>,
  { operations }: State,
  { calls }: Configuration,
): boolean {
  const called = calls[operation]
  if (called?.kind !== 'logout') return false
  const own = operations[called.of]?.row ?? ''
  return sessionOf(before) !== '-' && sessionOf(before) !== sessionOf(own)
}

/**
 * Whether an operation answered before this identify was called had ended or superseded its
 * session.
 */
function isOver(
  { operations }: State,
  { login, after }: { login: number; after: number },
  calls: Call[],
): boolean {
  return operations.some((operation, index) => {
    if (operation.phase !== '200' || !(after & (1 << index)) || index === login) return false
    const called = calls[index]
    if (called?.kind === 'logout') return called.of === login
    return (operation.after & (1 << login)) !== 0
  })
}

/**
 * Whether this step answered a login 200 although its token is not in both stores, nor superseded
 * there.
 */
function answeredTooEarly(before: State, state: State, calls: Call[]): boolean {
  return state.operations.some(
    ({ phase, row }, index) =>
      calls[index]?.kind === 'login' &&
      phase === '200' &&
      before.operations[index]?.phase !== '200' &&
      (state.highest < stampOf(row) || stampOf(state.R) < stampOf(row)),
  )
}

/**
 * Applies when nothing is under way. The last operation to take effect may be any that no later
 * call, answered 200, has replaced. If all of these are logins answered 200, one of them must be
 * logged in.
 */
function deadAlthoughLast(state: State, model: Model): Property | undefined {
  const { operations, lossesOfD, lossesOfR } = state
  if (state.rAway || state.identify || state.messages.length > 0) return
  if (operations.some((operation) => isRunning(operation) || operation.statement !== 'none')) return
  const { calls } = model.configuration
  const isReplaced = (index: number) =>
    operations.some(
      ({ phase, after }, other) =>
        phase === '200' && calls[other]?.kind !== 'logout' && (after & (1 << index)) !== 0,
    )
  const last = operations.flatMap((operation, index) => {
    const called = calls[index]
    const target = called?.kind === 'logout' ? called.of : index
    return operation.phase === 'idle' || isReplaced(target) || isReplaced(index)
      ? []
      : [{ ...operation, index }]
  })
  // What D lost is gone. What R lost is promised back only by recovery. A login called after the
  // loss is promised in any case.
  const isPromised = (operation: (typeof last)[number]) =>
    operation.phase === '200' &&
    !operation.expired &&
    calls[operation.index]?.kind === 'login' &&
    operation.lossesOfD === lossesOfD &&
    (operation.lossesOfR === lossesOfR || model.variant.claimsRecovery)
  if (last.length === 0 || !last.every(isPromised)) return
  const live = acceptable(state, model)
  if (last.some(({ row }) => live.some((alive) => alive.row === row))) return
  const answeredBefore = last.reduce((bits, { after }) => bits & after, -1)
  const undone = operations.some(({ phase }, index) => {
    const mayUndo = phase === '503' || (phase === '200' && calls[index]?.kind !== 'login')
    return mayUndo && (answeredBefore & (1 << index)) !== 0
  })
  if (undone) return 'L2'
  return operations.some(({ phase }, index) => calls[index]?.kind === 'logout' && phase !== 'idle')
    ? 'S5'
    : 'L1'
}
