/**
 * Whose work it is: `account` is the canonical mobile number, `network` as networkOf returns it.
 */
export interface Claimant {
  account: string
  network: string
}

/** A piece of work. `work` has the unit of the room of the queue. */
export interface Claim extends Claimant {
  work: number
}

/**
 * A queue whose room and service are shared fairly among networks and among accounts. The turn of a
 * claim is the number of claims of its network before it, or of its account if those are more.
 * Running claims are before all waiting ones. A flood therefore gets a turn as often as everybody
 * else and keeps nobody out.
 *
 * Among the claims of one network, or of one account, those come first that have the fewest claims
 * of the same account and network before them. A flood of guesses at one account therefore delays
 * neither its owner on another network nor other accounts on the network of the guesser.
 *
 * @param room how much work may be before a waiting claim.
 */
export function createFairQueue<C extends Claim>(room: () => number) {
  /** In order of arrival, or in the order in which their networks and accounts were last served. */
  let waiting: C[] = []
  const begun = new Set<C>()
  /** Claims that were promised room and have not arrived. */
  const expected = new Set<Claim>()

  return { expect, forget, push, shift, finish, remove, running: () => begun.size }

  /** Keeps room for a claim until {@link forget}. @returns false if there is none */
  function expect(claim: Claim): boolean {
    const hasRoom = fitting([...waiting, ...expected, claim]).has(claim)
    if (hasRoom) expected.add(claim)
    return hasRoom
  }

  function forget(claim: Claim): void {
    expected.delete(claim)
  }

  /**
   * Adds a claim. @returns the claims without room: this one, or instead of it those whose turns
   * come last.
   */
  function push(newcomer: C): C[] {
    const all = [...waiting, newcomer]
    const fits = fitting(all)
    if (!fits.has(newcomer)) return [newcomer]
    waiting = all.filter((claim) => fits.has(claim))
    return all.filter((claim) => !fits.has(claim))
  }

  /** Removes the claim whose turn it is. It counts as running until {@link finish}. */
  function shift(): C | undefined {
    const [next] = inTurns(waiting, begun)
    if (!next || !remove(next)) return undefined
    begun.add(next)
    // Round-robin: claims of the served network or account go behind all others.
    const shares = ({ account, network }: C) => network === next.network || account === next.account
    waiting = [...waiting.filter((claim) => !shares(claim)), ...waiting.filter(shares)]
    return next
  }

  function finish(claim: C): void {
    begun.delete(claim)
  }

  /** Removes a waiting claim. @returns false if it does not wait. */
  function remove(claim: C): boolean {
    const index = waiting.indexOf(claim)
    if (index >= 0) waiting.splice(index, 1)
    return index >= 0
  }

  function fitting<D extends Claim>(claims: readonly D[]): Set<D> {
    const limit = room()
    let workBefore = 0
    return new Set(
      inTurns(claims, begun).filter(({ work }) => {
        const fits = workBefore < limit
        workBefore += work
        return fits
      }),
    )
  }
}

/** The claims in the order of service. Claims with equal turns keep their order. */
function inTurns<C extends Claimant>(waiting: readonly C[], begun: Iterable<Claimant>): C[] {
  const [pairs, networks, accounts] = [createTally(), createTally(), createTally()]
  for (const { account, network } of begun) {
    pairs(`${network} ${account}`)
    networks(network)
    accounts(account)
  }
  return waiting
    .map((claim) => ({ claim, repeats: pairs(`${claim.network} ${claim.account}`) }))
    .sort((one, other) => one.repeats - other.repeats)
    .map(({ claim }) => ({ claim, turn: Math.max(networks(claim.network), accounts(claim.account)) }))
    .sort((one, other) => one.turn - other.turn)
    .map(({ claim }) => claim)
}

/** Counts keys. @returns how often the key was counted before. */
function createTally() {
  const counts = new Map<string, number>()
  return (key: string): number => {
    const before = counts.get(key) ?? 0
    counts.set(key, before + 1)
    return before
  }
}
