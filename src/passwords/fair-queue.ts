/** Whose work it is: `account` by its canonical mobile number, `network` as networkOf gives it. */
export interface Claimant {
  account: string
  network: string
}

/** A piece of work. `work` in the unit in which the room is measured. */
export interface Claim extends Claimant {
  work: number
}

export type FairQueue<C extends Claim> = ReturnType<typeof createFairQueue<C>>

/**
 * A queue whose room and service are shared by network and by account. Everybody is served in turn:
 * the turn of a claim is how many claims of its network are before it, or of its account where
 * those are more, and what runs is before all that waits. Whoever floods so has a turn now and then
 * like everybody else, and keeps nobody out.
 *
 * Among the claims of one network, or of one account, those come first that have the fewest of the
 * very same account and network before them: a flood of guesses at one account delays neither its
 * owner elsewhere, nor others beside the guesser.
 *
 * @param room how much work may be before a claim while it waits.
 */
export function createFairQueue<C extends Claim>(room: () => number) {
  /** In the order in which they came, or in which their networks and accounts were last served. */
  let waiting: C[] = []
  const begun = new Set<C>()

  return { hasRoomFor, push, shift, finish, remove, running: () => begun.size }

  /** Whether {@link push} would take a claim of theirs now. */
  function hasRoomFor({ account, network }: Claimant): boolean {
    const newcomer = { account, network, work: 0 }
    return fitting([...waiting, newcomer]).has(newcomer)
  }

  /**
   * Takes a claim in. Gives those that there is no room for: this one, or instead of it those whose
   * turns come last.
   */
  function push(newcomer: C): C[] {
    const all = [...waiting, newcomer]
    const fits = fitting(all)
    if (!fits.has(newcomer)) return [newcomer]
    waiting = all.filter((claim) => fits.has(claim))
    return all.filter((claim) => !fits.has(claim))
  }

  /** Takes out the claim whose turn it is. It counts as running until {@link finish}. */
  function shift(): C | undefined {
    const [next] = inTurns(waiting, begun)
    if (!next || !remove(next)) return undefined
    begun.add(next)
    // As round a table: whoever has had a turn goes behind all who wait for theirs.
    const shares = ({ account, network }: C) => network === next.network || account === next.account
    waiting = [...waiting.filter((claim) => !shares(claim)), ...waiting.filter(shares)]
    return next
  }

  function finish(claim: C): void {
    begun.delete(claim)
  }

  /** Takes out a claim that still waits. False when it does not, or does no more. */
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

/** In the order in which they are served; equal turns as they are given. */
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

/** Says how often it has been asked about a key before. */
function createTally() {
  const counts = new Map<string, number>()
  return (key: string): number => {
    const before = counts.get(key) ?? 0
    counts.set(key, before + 1)
    return before
  }
}
