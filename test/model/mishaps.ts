import { at, change, end, type Model, nameOf, show, without } from './operations.js'
import {
  ABSENT,
  expiryOf,
  type Faults,
  hasEnded,
  isRunning,
  letterOf,
  loginOf,
  type Operation,
  type State,
  stampOf,
} from './state.js'
import type { Step, StepName } from './steps.js'
import { deliver, execute } from './stores.js'

/** Faults, as often as the configuration allows, and the passing of time. */
export function mishaps(state: State, model: Model, add: (step: Step) => void): void {
  const { configuration } = model
  state.operations.forEach((operation, index) => {
    if (isRunning(operation)) slowOrDead(state, index, model, add)
    if (operation.statement === 'sent' && state.left.twice > 0) {
      const step = execute(state, index, model, true)
      add({ ...step, outcome: `${step.outcome}; D executes it again later` })
    }
  })
  if (state.left.resend > 0 && !state.rAway) {
    for (const message of state.messages) add(deliver(state, message, model, true))
  }
  storeFaults(state, configuration.losesLastOnly ?? false, add)
  if (configuration.expiry) timePasses(state, model, configuration.expiry, add)
}

function slowOrDead(state: State, index: number, model: Model, add: (step: Step) => void): void {
  const { phase, statement, row } = at(state, index)
  const take = (name: StepName, next: State, outcome = '') =>
    add({ who: nameOf(index, model), name, outcome, state: next })
  const own = state.messages.find((message) => message.slice(1) === `j${index}${row}`)
  // The state in which this was never sent: the statement, or the join of what is committed.
  const unsent =
    phase === 'commit'
      ? change(state, index, { statement: 'none' })
      : phase === 'join' && own
        ? { ...state, messages: without(state.messages, own) }
        : undefined

  if (state.left.timeout > 0) {
    const spent = spend(state, 'timeout')
    if (phase === 'commit' && statement === 'sent') {
      // The instance waits for the deadline and a margin before it answers. Without a deadline it
      // cannot know when to answer.
      if (model.variant.deadline) take('the deadline passes', change(spent, index, { statement: 'late' }))
      else take('answer 503', end(spent, index, '503'), 'D did not answer in time')
    }
    if (phase === 'canary' || phase === 'join' || phase === 'again') {
      take('answer 503', end(spent, index, '503'), 'a store did not answer in time')
    }
    if (phase === 'join' && unsent)
      take('the reply is lost', end(spend(unsent, 'timeout'), index, '503'), 'answer 503')
  }
  if (state.left.crash > 0) {
    take('the instance crashes', end(spend(state, 'crash'), index, 'crashed'))
    if (unsent) take('the instance crashes before it sends', end(spend(unsent, 'crash'), index, 'crashed'))
  }
}

function storeFaults(state: State, losesLastOnly: boolean, add: (step: Step) => void): void {
  const { left, R, pastR, pastD } = state
  if (left.wipeR > 0 && R !== '') {
    add({
      who: 'R',
      name: 'R restarts empty',
      outcome: '',
      state: { ...spend(state, 'wipeR'), R: '', lossesOfR: state.lossesOfR + 1 },
    })
  }
  if (left.fallBackR > 0) {
    for (const past of new Set(pieces(pastR))) {
      const older = past.trim()
      if (older === R) continue
      const spent = spend(state, 'fallBackR')
      // The newer entry is not lost for ever: another failover may bring it back.
      const kept = spent.left.fallBackR > 0 ? pastR + (R || ABSENT) : ''
      const next = { ...spent, R: older, pastR: kept, lossesOfR: state.lossesOfR + 1 }
      add({ who: 'R', name: 'R falls back', outcome: `R = ${show(older)}`, state: next })
    }
  }
  if (left.awayR > 0)
    add({ who: 'R', name: 'R goes away', outcome: '', state: { ...spend(state, 'awayR'), rAway: true } })
  if (left.loseD > 0) {
    const rows = pieces(pastD)
    rows.forEach((row, index) => {
      if (losesLastOnly && index < rows.length - 1) return
      const spent = { ...spend(state, 'loseD'), D: row, lossesOfD: state.lossesOfD + 1 }
      const next = { ...spent, pastD: spent.left.loseD > 0 ? rows.slice(0, index).join('') : '' }
      add({ who: 'D', name: 'D loses its last commits', outcome: `D = ${show(row)}`, state: next })
    })
  }
}

/** Tokens expire, then entries. The five minutes between the two are longer than any identify. */
function timePasses(
  state: State,
  model: Model,
  order: 'in order' | 'any order',
  add: (step: Step) => void,
): void {
  const { variant, configuration } = model
  const logins = state.operations.filter((_, index) => configuration.calls[index]?.kind === 'login')
  logins.forEach((login, index) => {
    if (login.row === '' || login.expired || !hasEnded(login)) return
    const isFirst = logins.every(
      (other) => other.expired || other.row === '' || stampOf(other.row) >= stampOf(login.row),
    )
    if (order === 'in order' && !isFirst) return
    const next = change(state, index, { expired: true })
    add({ who: letterOf(index), name: 'the token expires', outcome: '', state: next })
  })
  if (state.R === '' || state.identify) return
  if (variant.entryExpires === 'before its token' || guardsNothing(state, logins, order)) {
    add({ who: 'R', name: 'R entry expires', outcome: '', state: { ...state, R: '' } })
  }
}

/**
 * Whether R's entry guards no live token: the token whose expiry it carries has expired and, if
 * tokens expire in order, all earlier ones have too.
 */
function guardsNothing({ R }: State, logins: Operation[], order: 'in order' | 'any order'): boolean {
  const owner = logins[loginOf(expiryOf(R))]
  if (!owner || owner.expired) return true
  if (owner.phase === '200' || !hasEnded(owner)) return false
  // Its token was never given out, so the expiry of earlier tokens tells the time.
  const earlier = logins.filter(({ row }) => row !== '' && stampOf(row) < stampOf(R))
  return order === 'any order' || earlier.every(({ expired }) => expired)
}

function spend(state: State, fault: keyof Faults): State {
  return { ...state, left: { ...state.left, [fault]: state.left[fault] - 1 } }
}

function pieces(past: string): string[] {
  return past.match(/.{3}/g) ?? []
}
