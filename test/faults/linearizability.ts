import { isCheck, mayWrite, type Operation, settledAt } from './history.js'

/** A search of more steps than this ends as undecided, which counts as a failure. */
const MAX_STEPS = 2_000_000

export type Linearizability = 'linearizable' | 'not linearizable' | 'undecided'

/**
 * Whether one user's history is linearizable: each operation takes effect between its call and its
 * answer, in an order in which a register explains every answer. A login sets its session. A logout
 * clears its session if that is the one set. A question is answered 200 exactly when it asks about
 * the session that is set. A write that was answered 503, or not at all, may take effect anywhere
 * within its time, or never. The search is Wing and Gong's, with Lowe's memory of visited
 * configurations.
 *
 * @param refusalsCount whether a 401 is evidence: not where Redis has lost sessions and recovery is
 *   off
 */
export function linearizable(
  operations: readonly Operation[],
  { refusalsCount }: { refusalsCount: boolean },
): Linearizability {
  const relevant = operations
    .filter((operation) => saysSomething(operation, refusalsCount))
    .sort((a, b) => a.invoked - b.invoked)
  const ends = relevant.map(settledAt)
  const visited = new Set<string>()
  let steps = 0

  const stack: Configuration[] = [{ done: 0n, session: undefined, stamp: 0 }]
  const all = (1n << BigInt(relevant.length)) - 1n
  const optional = relevant.reduce(
    (mask, { outcome }, index) =>
      outcome === 'ok' || outcome === 'refused' ? mask : mask | (1n << BigInt(index)),
    0n,
  )

  for (let current = stack.pop(); current; current = stack.pop()) {
    if ((current.done | optional) === all) return 'linearizable'
    if (++steps > MAX_STEPS) return 'undecided'
    const key = `${current.done.toString(36)} ${current.session ?? ''}`
    if (visited.has(key)) continue
    visited.add(key)
    // Stamps tell the real order in the database. The branch to search first is pushed last.
    stack.push(...next(current).sort((a, b) => b.stamp - a.stamp))
  }
  return 'not linearizable'

  function next({ done, session }: Configuration): Configuration[] {
    // Only what was called before the first outstanding answer can come next.
    let horizon = Number.POSITIVE_INFINITY
    for (const [index, end] of ends.entries()) {
      if (!((done >> BigInt(index)) & 1n)) horizon = Math.min(horizon, end)
    }
    const configurations: Configuration[] = []
    for (const [index, operation] of relevant.entries()) {
      if (operation.invoked > horizon) break
      const bit = 1n << BigInt(index)
      if (done & bit) continue
      const after = apply(operation, session, index)
      if (after !== IMPOSSIBLE) {
        // A question that the current session explains can come now: it changes nothing.
        if (isCheck(operation)) return [{ done: done | bit, session, stamp: 0 }]
        configurations.push({ done: done | bit, session: after, stamp: operation.stamp ?? 0 })
      }
      // It may never have taken effect.
      if (optional & bit) configurations.push({ done: done | bit, session, stamp: 0 })
    }
    return configurations
  }
}

interface Configuration {
  /** The operations that have been put in order, as bits. */
  done: bigint
  session: string | undefined
  /** The stamp of the login that was put last, or 0: a hint for where to search first. */
  stamp: number
}

const IMPOSSIBLE = Symbol('impossible')

/** The register after an operation, or IMPOSSIBLE if it could not have given this answer. */
function apply(
  operation: Operation,
  session: string | undefined,
  index: number,
): string | undefined | typeof IMPOSSIBLE {
  switch (operation.kind) {
    case 'login':
      // No one knows the session of a failed login, so no question names it.
      return operation.session ?? `unknown ${index}`
    case 'logout':
      return session === operation.session ? undefined : session
    default:
      return (session === operation.session) === (operation.outcome === 'ok') ? session : IMPOSSIBLE
  }
}

function saysSomething(operation: Operation, refusalsCount: boolean): boolean {
  if (mayWrite(operation)) return true
  if (!isCheck(operation)) return false
  return operation.outcome === 'ok' || (operation.outcome === 'refused' && refusalsCount)
}
