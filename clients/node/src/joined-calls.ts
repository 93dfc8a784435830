/**
 * Coalesces calls about the same key into one request. No call gets an answer to a request that was
 * sent before the call.
 *
 * A call joins a request only before it is sent. A later call must not get its answer: the answer
 * may be older than a logout that this call has already seen acknowledged. Calls during a request
 * share the next one, which is sent when the first has settled. So a key has at most one request
 * under way and one waiting, and a token that was revoked before a call is refused to it.
 *
 * @param send must settle within its own time limit: later calls about the key wait for it.
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
    waiting.delete(key)
    const answer = send(key)
    underWay.set(key, answer)
    const isBack = () => void underWay.delete(key)
    answer.then(isBack, isBack)
    return answer
  }
}

/** Resolves when a request has settled, even if it was rejected. */
function backOf(request: Promise<unknown> | undefined): Promise<void> | undefined {
  const isBack = () => undefined
  return request?.then(isBack, isBack)
}

/** Waits for this turn's I/O, so that requests which arrived together share a call. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
