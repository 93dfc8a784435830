/** How often lines that cannot be written are reported, in milliseconds. */
const SAY_EVERY_MS = 10_000

const TOO_SLOW = 'it is written too slowly'

/** How many lines were lost since the trouble began, how many wait, and its reason. */
export interface Trouble {
  lost: number
  waiting: number
  reason: string
}

export interface TroubleListener {
  /**
   * Lines cannot be written. Called at the beginning, then every few seconds while lines are lost,
   * and at the end.
   */
  failing(trouble: Trouble): void
  /**
   * Lines can be written again. What this method writes to the stream precedes the waiting lines
   * and is never lost.
   */
  mended(trouble: Trouble): void
}

/**
 * Counts lost lines, and reports them to one listener.
 *
 * @param waiting how many lines wait now.
 */
export function createTroubleReport(waiting: () => number) {
  let listener: TroubleListener | undefined
  let lost = 0
  let reason = ''
  let isSaid = false
  let saidAt = Number.NEGATIVE_INFINITY

  return { listen, lose, fail, mend, end }

  function listen(to: TroubleListener): void {
    listener = to
  }

  /** One line is lost. */
  function lose(): void {
    lost++
    fail(reason || TOO_SLOW)
  }

  /** Lines could not be written. */
  function fail(because: string): void {
    reason = because
    if (performance.now() - saidAt < SAY_EVERY_MS) return
    saidAt = performance.now()
    isSaid = true
    listener?.failing({ lost, waiting: waiting(), reason })
  }

  /** Lines were written. */
  function mend(): void {
    if (reason === '') return
    const trouble = { lost, waiting: waiting(), reason }
    const isWorthSaying = isSaid || lost > 0
    lost = 0
    reason = ''
    isSaid = false
    if (isWorthSaying) listener?.mended(trouble)
  }

  /** Nothing is written any more: what waits is lost. */
  function end(): void {
    lost += waiting()
    if (lost > 0) listener?.failing({ lost, waiting: 0, reason: reason || TOO_SLOW })
  }
}
