import assert from 'node:assert'
import type { Answer } from '../helper.js'
import { until } from './servers.js'

/** However slow the machine is. */
export const PATIENCE = { withinMs: 60_000 }

/** What is answered once it is not "not now" any more: a store that was slow says nothing of what a test is about. */
export function patiently(ask: () => Promise<Answer>): Promise<Answer> {
  return until(async () => {
    const answer = await ask()
    assert.notEqual(answer.status, 503)
    return answer
  }, PATIENCE)
}
