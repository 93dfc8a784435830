import type { Test } from 'tap'
import type { Exit } from './service-process.js'

/** Exit 1 with one line for the operator, without waiting for what waiting does not cure. */
export function refusedAtOnce(t: Test, exit: Exit | undefined, why: RegExp): void {
  const { code, stdout, stderr } = exit ?? { code: null, stdout: '', stderr: '' }
  t.equal(code, 1)
  t.match(stderr, /^auth-service: [^\n]+\n$/)
  t.match(stderr, why)
  t.notMatch(stdout, 'waiting for')
}
