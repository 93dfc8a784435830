import type { Call } from './faults.js'
import type { Operation } from './state.js'

const NONE = -1
const known = new Map<string, boolean>()

/**
 * Whether the answer of an identify is linearizable. The specification is a register that holds one
 * login or none. Some order of the operations, which respects real time, must lead to that answer.
 * An operation that is under way, was answered 503 or crashed may be left out of that order.
 */
export function isLinearizable(
  operations: Operation[],
  identify: { login: number; after: number; accepted: boolean },
  calls: Call[],
): boolean {
  const history = operations.map(
    ({ phase, after }) => `${phase === '200' || phase === 'idle' ? phase : '?'}${after}`,
  )
  const key = `${JSON.stringify(calls)}${history.join()}|${identify.login},${identify.after},${identify.accepted}`
  const before = known.get(key)
  if (before !== undefined) return before
  const answer = search(0, NONE)
  known.set(key, answer)
  return answer

  /** `placed`: the operations that have taken effect, as bits. */
  function search(placed: number, holds: number): boolean {
    const isComplete = operations.every(({ phase }, index) => {
      const bit = 1 << index
      return phase !== '200' || !(identify.after & bit) || (placed & bit) !== 0
    })
    if (isComplete && (holds === identify.login) === identify.accepted) return true
    return operations.some((operation, index) => {
      const bit = 1 << index
      const called = calls[index]
      if (!called || operation.phase === 'idle' || placed & bit || !isNext(operation, index, placed))
        return false
      if (called.kind === 'login') return search(placed | bit, index)
      return search(placed | bit, called.kind === 'revoke' || called.of === holds ? NONE : holds)
    })
  }

  /** Whether everything that must come before it has come, and nothing that must come after it. */
  function isNext({ after }: Operation, index: number, placed: number): boolean {
    return operations.every((other, at) => {
      const bit = 1 << at
      if (placed & bit) return !(other.after & (1 << index))
      return !(after & bit) || other.phase !== '200'
    })
  }
}
