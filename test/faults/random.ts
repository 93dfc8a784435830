/** A random number generator that gives the same numbers for the same seed (mulberry32). */
export function createRandom(seed: number) {
  let state = seed >>> 0
  return { fraction, integer, pick, chance }

  /** From 0 (included) to 1 (excluded). */
  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** From `low` to `high`, both included. */
  function integer(low: number, high: number): number {
    return low + Math.floor(fraction() * (high - low + 1))
  }

  function pick<T>(items: readonly T[]): T {
    return items[integer(0, items.length - 1)] as T
  }

  function chance(probability: number): boolean {
    return fraction() < probability
  }
}

export type Random = ReturnType<typeof createRandom>
