import { isCheck, mayWrite, type Operation, settledAt } from './history.js'

/** Searches longer than this many steps are given up as undecided: they count as a failure, never as a success. */
const MAX_STEPS = 2_000_000

export type Linearizability = 'linearizable' | 'not linearizable' | 'undecided'

/**
 * Whether one user's operations, each somewhere between its call and its answer, can be put into one order in which a
 * register explains every answer: a login sets its session, a logout clears it if it is the one set, and a question is
 * answered 200 exactly when it asks about the session that is set (Wing and Gong's search, with the memory of visited
 * configurations of Lowe). A write answered 503, or never, may be put anywhere within its time, or left out.
 *
 * @param refusalsCount whether a 401 says anything: not where Redis has lost sessions and recovery is off.
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
    // Stamps tell the order in which the database really did it: the branch to look into first is pushed last.
    stack.push(...next(current).sort((a, b) => b.stamp - a.stamp))
  }
  return 'not linearizable'

  function next({ done, session }: Configuration): Configuration[] {
    // Only what was called before the first outstanding answer can come next: that answer must follow its operation.
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
        // A question that is answered by what is set now may as well be put here: it changes nothing.
        if (isCheck(operation)) return [{ done: done | bit, session, stamp: 0 }]
        configurations.push({ done: done | bit, session: after, stamp: operation.stamp ?? 0 })
      }
      // It may as well never have happened.
      if (optional & bit) configurations.push({ done: done | bit, session, stamp: 0 })
    }
    return configurations
  }
}

interface Configuration {
  /** The operations that have been put in order, a bit each. */
  done: bigint
  session: string | undefined
  /** Of the login that was put last, or 0: a hint for where to look first. */
  stamp: number
}

const IMPOSSIBLE = Symbol('impossible')

/** What the register holds after an operation, or that it could not have given this answer. */
function apply(
  operation: Operation,
  session: string | undefined,
  index: number,
): string | undefined | typeof IMPOSSIBLE {
  switch (operation.kind) {
    case 'login':
      // The session of a login that failed is known to nobody: nothing will ask about it.
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
