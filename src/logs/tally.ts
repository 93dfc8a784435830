/**
 * How long events are gathered for a first line, in milliseconds. No answer takes longer, so a
 * burst of requests is one line.
 */
const GATHER_MS = 2000

/** Least time between two lines, in milliseconds. */
const SAY_EVERY_MS = 10_000

/**
 * Counts events that may be many, and says so now and then.
 *
 * @param say gets how often each kind of event happened since the last line, such as
 *   `no turn in time (4), queue is full (36)`.
 */
export function createTally(say: (counts: string) => void) {
  const counts = new Map<string, number>()
  let saidAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined

  return { count, end }

  function count(kind: string): void {
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
    timer ??= setTimeout(sayCounts, Math.max(GATHER_MS, saidAt + SAY_EVERY_MS - performance.now())).unref()
  }

  /** Says what was not said yet. */
  function end(): void {
    if (timer) sayCounts()
  }

  function sayCounts(): void {
    clearTimeout(timer)
    timer = undefined
    saidAt = performance.now()
    const said = Array.from(counts, ([kind, times]) => `${kind} (${times})`)
    counts.clear()
    say(said.join(', '))
  }
}
