import DataLoader from 'dataloader'

/** Questions that one statement or command answers at most. */
const MAX_BATCH = 500

/**
 * Turns many questions into few: all that is asked in one turn of the event loop is read at once. It is sent after the
 * last of them was asked, and nothing is kept, so every answer is as fresh as if each had been sent alone.
 *
 * @param read gives the answers, or errors, in the order of the questions. Where it fails, all of them fail.
 */
export function createBatch<Answer>(
  read: (userIds: readonly number[]) => Promise<(Answer | Error)[]>,
): (userId: number) => Promise<Answer> {
  const loader = new DataLoader<number, Answer>(read, {
    cache: false,
    // After the turn's I/O: the default, at the end of the current callback, would send one batch per request.
    batchScheduleFn: setImmediate,
    maxBatchSize: MAX_BATCH,
  })
  return (userId) => loader.load(userId)
}
