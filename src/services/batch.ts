import DataLoader from 'dataloader'

/**
 * Questions that are sent without waiting for more of the same turn, so that the stores work on them while the rest is being
 * read: connections that wait for their answers ask again all at once, and would otherwise leave the stores and this process
 * waiting for each other by turns. Smaller batches keep the stores busy, and larger ones cost fewer statements.
 */
const FULL_BATCH = 32

/**
 * Turns many questions into few: all that is asked in one turn of the event loop is read at once, or in several full batches,
 * and while one is under way, what is asked in the next turns is collected until that is answered, or a turn brings no more: a
 * statement costs as much as ten questions in it, but nobody waits while there is nothing else to do. Each batch is sent after
 * the last of its questions was asked, and nothing is kept, so every answer is as fresh as if each had been sent alone.
 *
 * @param read gives the answers, or errors, in the order of the questions. Where it fails, all of them fail.
 */
export function createBatch<Answer>(
  read: (userIds: readonly number[]) => Promise<(Answer | Error)[]>,
): (userId: number) => Promise<Answer> {
  let underWay = 0
  /** Questions that have been asked since the last turn ended. */
  let asked = 0
  /** Sends the batch that is being collected. */
  let sendNow: (() => void) | undefined
  /** The same, once its first turn is over. */
  let sendHeld: (() => void) | undefined

  const loader = new DataLoader<number, Answer>(readNow, {
    cache: false,
    maxBatchSize: FULL_BATCH,
    batchScheduleFn: (send) => {
      // Another batch begins: the one before it is full, where it has not been sent yet.
      sendNow?.()
      // After the turn's I/O: the default, at the end of the current callback, would send one batch per request.
      let atEndOfTurn = setImmediate(sendOrHold)
      sendNow = sendOnce

      function sendOrHold(): void {
        if (underWay === 0 || asked === 0) return void sendOnce()
        asked = 0
        sendHeld = sendOnce
        atEndOfTurn = setImmediate(sendOrHold)
      }

      function sendOnce(): void {
        clearImmediate(atEndOfTurn)
        sendNow = sendHeld = undefined
        send()
      }
    },
  })
  return (userId) => {
    asked++
    return loader.load(userId)
  }

  function readNow(userIds: readonly number[]): Promise<(Answer | Error)[]> {
    underWay++
    const answers = read(userIds)
    answers.then(answered, answered)
    return answers
  }

  function answered(): void {
    if (--underWay === 0) sendHeld?.()
  }
}
