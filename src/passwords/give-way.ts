/**
 * Length of one pause of hashing, in milliseconds. A thread that waits for the core gets it as soon
 * as it is free.
 */
const PAUSE_MS = 0.1

/**
 * How long a notice holds, in milliseconds. It is longer than any answer should take, because a
 * thread that waits for the core cannot give another notice.
 */
const NOTICE_MS = 10

/**
 * A counter in shared memory. `giveWay` increments it, which makes hashing threads pause for a
 * while.
 */
export function createNotice() {
  const notice = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  return { notice, giveWay: () => void Atomics.add(notice, 0, 1) }
}

/**
 * A clock for a thread that computes without end. After each millisecond of work it looks for a
 * recent notice, and if there is one it makes the thread sleep briefly. A low priority alone is not
 * enough: Linux lets the running thread finish its slice of some milliseconds (EEVDF), and compares
 * priorities only within one session or container.
 *
 * @returns a replacement for `Date.now`.
 */
export function clockThatGivesWay({
  notice,
  monotonic = () => performance.now(),
  pause = sleep,
}: Needs): () => number {
  const wallClock = Date.now
  let computingSince = 0
  let seen = 0
  let until = 0
  return () => {
    const now = monotonic()
    if (now - computingSince >= 1) {
      const given = Atomics.load(notice, 0)
      if (given !== seen) until = now + NOTICE_MS
      seen = given
      if (now < until) pause(PAUSE_MS)
      // Read the clock after the pause. Where cores are short, a pause lasts until one is free,
      // which is many milliseconds. Counted as work, they would bring the next pause at once and
      // leave no time to hash.
      computingSince = monotonic()
    }
    return wallClock()
  }
}

interface Needs {
  notice: Int32Array
  /** Milliseconds of a monotonic clock. */
  monotonic?: () => number
  pause?: (ms: number) => void
}

const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

function sleep(ms: number): void {
  Atomics.wait(never, 0, 0, ms)
}
