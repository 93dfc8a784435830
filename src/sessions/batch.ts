import DataLoader from 'dataloader'

/**
 * Questions that are sent without waiting for more, so that the stores work on them while the rest is being read: connections that
 * wait for their answers ask again all at once, and would otherwise leave the stores and this process waiting for each other by
 * turns. Smaller batches keep the stores busy, and larger ones cost fewer statements.
 */
const FULL_BATCH = 32

/**
 * Turns many questions into few: they are collected as long as each turn of the event loop brings more, and read at once when a
 * turn brings none, or when the batch is full. A statement costs as much as thirty questions in it, and a turn next to nothing, so
 * nobody waits while there is nothing else to do. Each batch is sent after the last of its questions was asked, and nothing is
 * kept, so every answer is as fresh as if each had been sent alone.
 *
 * @param read gives the answers, or errors, in the order of the questions. Where it fails, all of them fail.
 */
export function createBatch<Question, Answer>(
  read: (questions: readonly Question[]) => Promise<(Answer | Error)[]>,
): (question: Question) => Promise<Answer> {
  /** Questions of the batch that is being collected. */
  let asked = 0
  let sendBatch: () => void

  const loader = new DataLoader<Question, Answer>(read, { cache: false, batchScheduleFn: collect })
  return (question) => {
    const answer = loader.load(question)
    if (++asked === FULL_BATCH) sendBatch()
    return answer
  }

  function collect(send: () => void): void {
    let seen = 0
    // After the turn's I/O: the default, at the end of the current callback, would send one batch per request.
    let endOfTurn = setImmediate(look)
    sendBatch = () => {
      clearImmediate(endOfTurn)
      asked = 0
      send()
    }

    function look(): void {
      if (asked === seen) sendBatch()
      else {
        seen = asked
        endOfTurn = setImmediate(look)
      }
    }
  }
}
