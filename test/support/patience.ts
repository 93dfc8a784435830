import assert from 'node:assert'
import type { Answer } from '../helper.js'
import { until } from './servers.js'

/** A limit that even a very slow machine keeps. */
export const PATIENCE = { withinMs: 60_000 }

/** Repeats a request until its answer is not 503, which a slow store or a busy machine causes. */
export function patiently(ask: () => Promise<Answer>): Promise<Answer> {
  return until(async () => {
    const answer = await ask()
    assert.notEqual(answer.status, 503)
    return answer
  }, PATIENCE)
}
