import DataLoader from 'dataloader'

/**
 * Questions that are sent without waiting for more of the same turn, so that the stores work on them while the rest is being
 * read: connections that wait for their answers ask again all at once, and would otherwise leave the stores and this process
 * waiting for each other by turns. Smaller batches keep the stores busy, and larger ones cost fewer statements.
 */
const FULL_BATCH = 40

/**
 * Turns many questions into few: all that is asked in one turn of the event loop is read at once, or in several full batches.
 * Each is sent after the last of its questions was asked, and nothing is kept, so every answer is as fresh as if each had been
 * sent alone.
 *
 * @param read gives the answers, or errors, in the order of the questions. Where it fails, all of them fail.
 */
export function createBatch<Answer>(
  read: (userIds: readonly number[]) => Promise<(Answer | Error)[]>,
): (userId: number) => Promise<Answer> {
  let sendNow: (() => void) | undefined
  const loader = new DataLoader<number, Answer>(read, {
    cache: false,
    maxBatchSize: FULL_BATCH,
    batchScheduleFn: (send) => {
      // Another batch begins: the one before it is full, where it has not been sent yet.
      sendNow?.()
      // After the turn's I/O: the default, at the end of the current callback, would send one batch per request.
      const atEndOfTurn = setImmediate(sendOnce)
      sendNow = sendOnce

      function sendOnce(): void {
        clearImmediate(atEndOfTurn)
        sendNow = undefined
        send()
      }
    },
  })
  return (userId) => loader.load(userId)
}
