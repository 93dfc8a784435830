import DataLoader from 'dataloader'

/**
 * Full batches are sent early, so that the stores work while this process still reads requests.
 * Smaller batches keep the stores busier, larger ones need fewer statements.
 */
const FULL_BATCH = 32

/**
 * Turns many questions into few reads. A batch collects questions while each turn of the event loop
 * adds more, and is sent when a turn adds none or when the batch is full. There is no timer: a
 * statement costs far more than one question in it and a turn almost nothing, so an idle process
 * reads at once. A batch is sent after its last question was asked, and nothing is cached. Each
 * answer is therefore as fresh as if its question had been sent alone.
 *
 * @param read returns the answers or errors in the order of the questions. If it rejects, all
 *   questions of the batch reject.
 */
export function createBatch<Question, Answer>(
  read: (questions: readonly Question[]) => Promise<(Answer | Error)[]>,
): (question: Question) => Promise<Answer> {
  /** Number of questions in the batch that is being collected. */
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
    // After the I/O of this turn. DataLoader's default, the end of the current callback, would send
    // one batch per request.
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
