import { at, type Model, nameOf, send, show } from './operations.js'
import { answered, isSame, type State, stampOf } from './state.js'
import type { Step } from './steps.js'
import type { Variant } from './variants.js'

/**
 * The steps of identify: its two reads, in either order, with anything in between. One identify at
 * a time is enough, because its reads change no store.
 */
export function identifySteps(state: State, model: Model, add: (step: Step) => void): void {
  const { variant, configuration } = model
  if (state.rAway) return
  const running = state.identify
  if (!running) {
    const after = answered(state)
    configuration.calls.forEach((called, login) => {
      const { phase, expired } = at(state, login)
      if (called.kind !== 'login' || phase !== '200' || expired) return
      const who = `identify(${nameOf(login, model)})`
      for (const first of ['D', 'R'] as const) {
        const read = state[first]
        const next = { ...state, identify: { login, first, read, after } }
        add({ who, name: `identify reads ${first}`, outcome: show(read), state: next })
      }
    })
    return
  }
  const { login, first, read, after } = running
  const [R, D] = first === 'R' ? [read, state.D] : [state.R, read]
  const { row } = at(state, login)
  const accepted = accepts(variant, R, D, row)
  const answeredState: State = { ...state, identify: undefined }
  const repairs = accepted && variant.repairs && variant.recovery === 'database' && !isSame(R, D)
  const write = variant.write === 'join' ? 'J' : 'S'
  // A second repair of the same row would add nothing to the one under way.
  const underWay = state.messages.some((message) => message === `${write}r0${D}`)
  add({
    who: `identify(${nameOf(login, model)})`,
    name: 'identify answers',
    outcome: `R ${show(R)}, D ${show(D)}: ${accepted ? 200 : 401}`,
    state: repairs && !underWay ? send(answeredState, write, 'repair', 0, D) : answeredState,
    observed: { kind: 'identify', login, after, accepted },
  })
}

/** Whether identify accepts a token, given what it read. */
export function accepts({ identifyAsks, recovery }: Variant, R: string, D: string, token: string): boolean {
  const rHolds = R !== '' && isSame(R, token)
  if (identifyAsks === 'R') return rHolds
  if (!isSame(D, token)) return false
  if (identifyAsks === 'D' || rHolds) return true
  return stampOf(R) < stampOf(token) && recovery === 'database'
}
