import type { ServerResponse } from 'node:http'
import { createVerifier, type Verifier, type VerifierOptions } from '@auth-service/client'
import type { Test } from 'tap'

/** A verifier that ends with the test, with a timeout long enough for a busy machine. */
export function verifierFor(t: Test, options: VerifierOptions): Verifier {
  const verifier = createVerifier({ timeoutMs: 20_000, ...options })
  t.teardown(verifier.close)
  return verifier
}

/** A text that could be a token, for servers that stand in for the service. */
export const TOKEN = 'eyJ0.e30.c2ln'

/** The 200 of /verify. */
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

/** The error of a call, if any, and the milliseconds that the call took. */
export async function timed(call: Promise<unknown>): Promise<{ error?: Error; ms: number }> {
  const started = performance.now()
  const error = await call.then(
    () => undefined,
    (error) => error,
  )
  return { error, ms: Math.round(performance.now() - started) }
}
