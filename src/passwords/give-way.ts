/** For how long hashing gives way at a time, in milliseconds. Whoever waits for the core has it as soon as it is free. */
const PAUSE_MS = 0.1

/**
 * How long a notice holds, in milliseconds: longer than any answer should take, because whoever waits for the core cannot give
 * another one meanwhile.
 */
const NOTICE_MS = 10

/** A number in shared memory: how often somebody wanted hashing to give way. */
export function createNotice() {
  const notice = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  return { notice, giveWay: () => void Atomics.add(notice, 0, 1) }
}

/**
 * A clock for a thread that computes without end: after each millisecond, if notice was given of late, it lets the thread sleep for
 * a moment. A low priority alone does not help those who wait for the core: Linux lets whoever has it go on for some
 * milliseconds (EEVDF's slice), and counts the priority within one session or container only.
 *
 * @returns what may stand in the place of `Date.now`.
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
      // Where cores are short a pause lasts until one is free, which is many milliseconds: counted as computed, they would leave
      // nothing for hashing.
      computingSince = monotonic()
    }
    return wallClock()
  }
}

interface Needs {
  notice: Int32Array
  /** Milliseconds of a clock that nobody sets. */
  monotonic?: () => number
  pause?: (ms: number) => void
}

const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

function sleep(ms: number): void {
  Atomics.wait(never, 0, 0, ms)
}
