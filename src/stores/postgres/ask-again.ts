/**
 * When a question counts as late, in milliseconds. An answer usually takes one or less; it is late
 * when the process that should give it waits for a core.
 */
const LATE_MS = 20

/**
 * Hedges late questions: asks once more, over another connection, and takes the first answer. The
 * question must change nothing, so it may be repeated; the second answer is the fresher one. Only
 * one question at a time is hedged, so that a store that is slow as a whole gets no more work.
 */
export function createAskAgain() {
  let asking = false

  return function soonest<Answer>(
    ask: () => Promise<Answer>,
    askAnother: () => Promise<Answer>,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let unanswered = 1
      const late = setTimeout(again, LATE_MS)
      ask().then(answered, failed)

      function again(): void {
        if (asking) return
        asking = true
        unanswered++
        askAnother()
          .finally(() => {
            asking = false
          })
          .then(answered, failed)
      }

      function answered(answer: Answer): void {
        clearTimeout(late)
        resolve(answer)
      }

      function failed(error: Error): void {
        if (--unanswered > 0) return
        clearTimeout(late)
        reject(error)
      }
    })
  }
}
