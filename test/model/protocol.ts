import { at, change, end, joinRow, type Model, nameOf, send, sending } from './operations.js'
import { answered, isSame, letterOf, type Operation, rowOf, type State } from './state.js'
import type { Step, StepName } from './steps.js'
import { deliver, execute } from './stores.js'

/** The service tries five times. Here no login can be overtaken more than twice. */
const MAX_COMMIT_ATTEMPTS = 4

/**
 * The steps of the service. Every store call is one atomic step, at the moment when the store
 * executes it. A call, an answer or a send whose time makes no difference is part of the store's
 * step: calls as late and answers as early as possible, which is hardest for the protocol.
 */
export function serviceSteps(state: State, model: Model, add: (step: Step) => void): void {
  state.operations.forEach((operation, index) => {
    const take = (name: StepName, next: State, outcome = '') =>
      add({ who: nameOf(index, model), name, outcome, state: next })
    if (operation.phase === 'idle') call(state, index, model, take)
    else if (operation.phase === 'again') readAgain(state, index, model, take)
    else if (mayGiveUp(state, operation)) take('answer 503', end(state, index, '503'))
    if (operation.statement !== 'none') add(execute(state, index, model))
  })
  state.messages.forEach((message) => {
    if (!state.rAway) add(deliver(state, message, model))
  })
}

function call(
  state: State,
  index: number,
  { variant, configuration }: Model,
  take: (name: StepName, next: State) => void,
): void {
  const called = configuration.calls[index]
  const ghosts = {
    after: answered(state),
    lossesOfD: state.lossesOfD,
    lossesOfR: state.lossesOfR,
    whileAway: state.rAway,
  }
  if (called?.kind === 'login') {
    if (variant.order === 'R, then D') {
      const row = rowOf(state.clock + 1, letterOf(index), letterOf(index))
      const begun = change({ ...state, clock: state.clock + 1 }, index, { ...ghosts, phase: 'join', row })
      take('login writes R first', send(begun, 'S', 'join', index, row))
    } else if (variant.canary) {
      const begun = change(state, index, { ...ghosts, phase: 'canary', seen: state.D })
      take('login reads D', send(begun, variant.write === 'join' ? 'J' : 'S', 'canary', index, state.D))
    } else {
      take('login reads D', change(state, index, { ...ghosts, ...sending(state.D) }))
    }
  } else if (called?.kind === 'logout') {
    const login = state.operations[called.of]
    // A token becomes known with its answer. An expired one may log out.
    if (login?.phase !== '200') return
    if (variant.logout === 'DEL' || variant.logout === 'DEL if equal') {
      const begun = change(state, index, { ...ghosts, phase: 'join', row: login.row })
      take(
        'logout leaves D alone',
        send(begun, variant.logout === 'DEL' ? 'X' : 'E', 'join', index, login.row),
      )
    } else if (isSame(state.D, login.row)) {
      take('logout reads D', change(state, index, { ...ghosts, ...sending(login.row) }))
    } else {
      take('logout reads D', joinRow(change(state, index, ghosts), index, state.D, variant))
    }
  } else if (variant.logout === 'DEL') {
    take(
      'logout leaves D alone',
      send(change(state, index, { ...ghosts, phase: 'join', row: state.D }), 'X', 'join', index, state.D),
    )
  } else {
    take('revoke reads D', change(state, index, { ...ghosts, ...sending(state.D) }))
  }
}

/** The operation reads again after its statement changed nothing, or after a collision. */
function readAgain(
  state: State,
  index: number,
  { variant, configuration }: Model,
  take: (name: StepName, next: State, outcome?: string) => void,
): void {
  const called = configuration.calls[index]
  const { attempts, seen, row } = at(state, index)
  if (called?.kind === 'logout') {
    const tooLate = isSame(state.D, seen)
    take('logout reads D again', tooLate ? end(state, index, '503') : joinRow(state, index, state.D, variant))
  } else if (attempts + 1 >= MAX_COMMIT_ATTEMPTS) {
    take('answer 503', end(state, index, '503'))
  } else {
    take(
      row === '' ? 'login reads D again' : 'repeat above the collided stamp',
      change(state, index, { ...sending(state.D), row: '', attempts: attempts + 1 }),
    )
  }
}

/** Whether the request may be answered 503: its deadline in D has passed, or R is away. */
function mayGiveUp(state: State, { phase, statement }: Operation): boolean {
  return (
    (phase === 'commit' && statement === 'late') || (state.rAway && (phase === 'canary' || phase === 'join'))
  )
}
