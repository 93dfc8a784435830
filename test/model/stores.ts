import {
  answerOf,
  at,
  change,
  end,
  joinRow,
  type Model,
  nameOf,
  show,
  tidy,
  type Write,
  without,
} from './operations.js'
import { ABSENT, expiryOf, isSame, letterOf, NOBODY, rowOf, type State, sessionOf, stampOf } from './state.js'
import type { Step } from './steps.js'

/** D executes a statement, with all conditions of its WHERE. */
export function execute(state: State, index: number, model: Model, again = false): Step {
  const { variant, configuration } = model
  const operation = at(state, index)
  const called = configuration.calls[index]
  const kind = called?.kind ?? 'revoke'
  const step = {
    who: nameOf(index, model),
    name: kind === 'login' ? 'commit in D' : kind === 'logout' ? 'end in D' : 'revoke in D',
  } as const
  const waiting = operation.phase === 'commit'
  const inTime = operation.statement === 'sent'
  const left = { ...state, ...(again ? { left: { ...state.left, twice: state.left.twice - 1 } } : {}) }
  const done = change(left, index, again ? {} : { statement: 'none' })

  const applies =
    inTime &&
    (kind === 'login'
      ? !variant.comparesSeenStamp || stampOf(state.D) === stampOf(operation.seen)
      : kind === 'revoke' || isSame(state.D, operation.seen))
  if (!applies) {
    // A revoke does not read again: only its deadline can have stopped it.
    const next = !waiting
      ? done
      : kind === 'revoke'
        ? end(done, index, '503')
        : change(done, index, { phase: 'again' })
    return {
      ...step,
      outcome: inTime ? 'D has moved on: 0 rows' : 'too late: 0 rows',
      state: tidy(next, index),
    }
  }

  const clock =
    configuration.clockStandsStill || variant.order === 'R, then D' ? state.clock : state.clock + 1
  const stamp =
    variant.order === 'R, then D'
      ? stampOf(operation.row)
      : variant.stamp === 'clock'
        ? Math.max(stampOf(state.D) + 1, clock)
        : stampOf(state.D) + 1
  const session = kind === 'login' ? letterOf(index) : NOBODY
  const row = rowOf(stamp, session, kind === 'login' ? session : expiryOf(state.D))
  const pastD = state.left.loseD > 0 ? state.pastD + state.D : ''
  const committed = { ...done, D: row, pastD, clock, highest: Math.max(state.highest, stamp) }
  const observed = { kind: 'commit', operation: index, stamp, before: state.D } as const
  const next = !waiting
    ? committed
    : variant.order === 'R, then D'
      ? end(committed, index, '200')
      : joinRow(committed, index, row, variant)
  return {
    ...step,
    outcome: `D = ${show(row)}${waiting ? answerOf(next, index) : ''}`,
    state: tidy(next, index),
    observed,
  }
}

/** R executes a write. `again`: the write was sent twice, and R will get it once more. */
export function deliver(
  state: State,
  message: string,
  { variant, configuration }: Model,
  again = false,
): Step {
  const write = message.charAt(0) as Write
  const purpose = message.charAt(1)
  const row = message.slice(3)
  const index = Number(message.charAt(2))
  const { result, R } = apply(state.R, write, row)
  const moved = R !== state.R && state.left.fallBackR > 0
  const next: State = {
    ...state,
    R,
    pastR: moved ? state.pastR + (state.R || ABSENT) : state.pastR,
    messages: again ? state.messages : without(state.messages, message),
    left: again ? { ...state.left, resend: state.left.resend - 1 } : state.left,
  }
  const outcome = `${again ? 'R gets it again later; ' : ''}${result}, R = ${show(R)}`
  if (purpose === 'r') return { who: 'identify', name: 'repair', outcome, state: next }

  const step = { who: nameOf(index, { variant, configuration }), outcome }
  const { phase, row: own } = at(state, index)
  if (purpose === 'c') {
    const proved = phase === 'canary' ? change(next, index, { phase: 'commit', statement: 'sent' }) : next
    return { ...step, name: 'canary join', state: proved }
  }
  const isLogin = configuration.calls[index]?.kind === 'login'
  const name = write === 'X' || write === 'E' ? 'DEL' : isLogin ? 'join' : 'join what D holds'
  if (phase !== 'join' || own !== row) return { ...step, name, state: next }
  if (isLogin && variant.order === 'R, then D') {
    return { ...step, name, state: change(next, index, { phase: 'commit', statement: 'sent' }) }
  }
  const heard =
    isLogin && result === 'collision' && variant.onCollision === 'repeat'
      ? change(next, index, { phase: 'again' })
      : end(next, index, '200')
  return { ...step, name, outcome: outcome + answerOf(heard, index), state: heard }
}

/** R as a max-register: the larger stamp wins, and at equal stamps a tombstone. */
function apply(R: string, write: Write, row: string): { result: string; R: string } {
  if (write === 'S') return { result: 'set', R: row }
  if (write === 'X') return { result: 'deleted', R: '' }
  if (write === 'E') return { result: 'deleted if equal', R: isSame(R, row) ? '' : R }
  const [held, joined] = [stampOf(R), stampOf(row)]
  if (held > joined) return { result: 'newer', R }
  if (held === joined && sessionOf(R) !== sessionOf(row)) {
    if (sessionOf(R) === NOBODY) return { result: 'newer', R }
    if (sessionOf(row) !== NOBODY) return { result: 'collision', R }
  }
  return { result: 'held', R: row }
}
