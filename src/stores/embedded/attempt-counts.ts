import { LRUCache } from 'lru-cache'
import {
  type AttemptCounts,
  type AttemptLimits,
  LEASE_MS,
  ROW_KEPT_FROM,
  ROW_KEPT_MS,
  type Taken,
  waitAfter,
} from '../attempt-counts.js'

/** How many keys are counted. Beyond that, the least recently used key is forgotten. */
const MAX_KEYS = 50_000

interface Counter {
  failures: number
  opensAt: number
  pending: number
  leaseEnds: number
}

interface Counted {
  counters: Map<string, Counter>
  inRow: number
}

/**
 * Counts in this process, for embedded mode. The rules are those of the script in
 * ../redis/attempt-counts.ts.
 */
export function createMemoryAttemptCounts({ now = () => performance.now() } = {}): AttemptCounts {
  const counted = new LRUCache<string, Counted>({ max: MAX_KEYS, perf: { now } })

  return { take, fail, giveBack, succeed, forget, probe: async () => undefined }

  async function take(key: string, name: string, limits: AttemptLimits): Promise<Taken> {
    const { all, counter } = read(key, name, limits)
    const { free, mostInRow } = limits
    if (mostInRow !== undefined && all.inRow >= mostInRow)
      return { verdict: 'closed', waitMs: counted.getRemainingTTL(key) }
    if (counter.failures >= free && now() < counter.opensAt)
      return { verdict: 'wait', waitMs: counter.opensAt - now() }
    if (counter.pending > 0 && counter.failures + counter.pending >= free) return { verdict: 'busy' }
    counter.pending++
    counter.leaseEnds = now() + LEASE_MS
    all.inRow++
    keep(key, all, limits)
    return { verdict: 'taken' }
  }

  async function fail(key: string, name: string, limits: AttemptLimits): Promise<void> {
    const { all, counter } = read(key, name, limits)
    counter.pending = Math.max(0, counter.pending - 1)
    counter.failures++
    counter.opensAt = now() + waitAfter(counter.failures, limits)
    keep(key, all, limits)
  }

  async function giveBack(key: string, name: string, limits: AttemptLimits): Promise<void> {
    const { all, counter } = read(key, name, limits)
    counter.pending = Math.max(0, counter.pending - 1)
    all.inRow = Math.max(0, all.inRow - 1)
    keep(key, all, limits)
  }

  async function succeed(key: string, name: string): Promise<void> {
    const all = counted.get(key)
    all?.counters.delete(name)
    if (all) all.inRow = 0
  }

  async function forget(key: string): Promise<void> {
    counted.delete(key)
  }

  function read(key: string, name: string, { longestWaitMs }: AttemptLimits) {
    const all = counted.get(key) ?? { counters: new Map<string, Counter>(), inRow: 0 }
    const counter = all.counters.get(name) ?? { failures: 0, opensAt: 0, pending: 0, leaseEnds: 0 }
    all.counters.set(name, counter)
    if (now() >= counter.opensAt + longestWaitMs) counter.failures = 0
    if (now() >= counter.leaseEnds) counter.pending = 0
    return { all, counter }
  }

  function keep(key: string, all: Counted, { longestWaitMs, mostInRow }: AttemptLimits): void {
    const ttl = 2 * longestWaitMs + LEASE_MS
    counted.set(key, all, { ttl: mostInRow && all.inRow >= ROW_KEPT_FROM ? Math.max(ttl, ROW_KEPT_MS) : ttl })
  }
}
