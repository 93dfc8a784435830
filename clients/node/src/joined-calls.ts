/**
 * Lets calls about the same key share a request, and never an answer that is older than the call.
 *
 * A call joins a request only while that one has not left. Whoever asks later, while it is under
 * way, must not get its answer: it may have been given before a logout that this caller has seen
 * acknowledged. All who come meanwhile share one more request, which leaves when the first is back.
 * So a key has at most one request under way and one that waits, and every answer was asked for
 * after every call that gets it: what was revoked before a check began is refused by it.
 *
 * @param send has to settle within a time of its own, else whoever waits for it waits for ever.
 */
export function joinCalls<Answer>(send: (key: string) => Promise<Answer>): (key: string) => Promise<Answer> {
  const underWay = new Map<string, Promise<Answer>>()
  const waiting = new Map<string, Promise<Answer>>()

  return function ask(key) {
    const joined = waiting.get(key)
    if (joined) return joined
    const request = (backOf(underWay.get(key)) ?? endOfTurn()).then(() => leave(key))
    waiting.set(key, request)
    return request
  }

  function leave(key: string): Promise<Answer> {
    // From here on nobody joins.
    waiting.delete(key)
    const answer = send(key)
    underWay.set(key, answer)
    const isBack = () => void underWay.delete(key)
    answer.then(isBack, isBack)
    return answer
  }
}

/** Settles when a request is back, whatever its answer. */
function backOf(request: Promise<unknown> | undefined): Promise<void> | undefined {
  const isBack = () => undefined
  return request?.then(isBack, isBack)
}

/** After this turn's I/O: requests that arrived together are asked about together. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
