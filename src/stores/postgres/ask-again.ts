/** An answer usually takes a millisecond or less; so long, in milliseconds, only where what should give it waits for a core. */
const LATE_MS = 20

/**
 * Makes a question that is late be asked a second time, of another, and takes whichever answer comes first: one that
 * changes nothing may be asked as often as one likes, and the later asking is the fresher. Only one question at a time is asked
 * again, so that a store which is slow as a whole has no more to do.
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
