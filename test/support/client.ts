import type { ServerResponse } from 'node:http'
import { createVerifier, type Verifier, type VerifierOptions } from '@auth-service/client'
import type { Test } from 'tap'

/** A verifier that goes with the test, and has the patience that a busy machine needs. */
export function verifierFor(t: Test, options: VerifierOptions): Verifier {
  const verifier = createVerifier({ timeoutMs: 20_000, ...options })
  t.teardown(verifier.close)
  return verifier
}

/** What could be a token, for servers that only stand in for the service. */
export const TOKEN = 'eyJ0.e30.c2ln'

/** A yes in the form of /verify. */
export const LIVE = {
  code: 200,
  msg: 'ok',
  data: {
    user_id: 1,
    expires_at: 4102444800,
    payload: { jti: 'u2zxmNT0soc7CDTmQAj1jxp2aKG4uAPb', data: { id: 1, login_time: 1795412714984 } },
  },
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json' }).end(text)
}

/** How a call ended, and after how many milliseconds. */
export async function timed(call: Promise<unknown>): Promise<{ error?: Error; ms: number }> {
  const started = performance.now()
  const error = await call.then(
    () => undefined,
    (error) => error,
  )
  return { error, ms: Math.round(performance.now() - started) }
}
