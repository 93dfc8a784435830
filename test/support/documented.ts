import { deviationsOf, type Exchange } from './deviations.js'

const instances = new Set<string>()
const undocumented: string[] = []

/** What the instance at this address answers to the tests of this process is held against the OpenAPI document. */
export function expectDocumentedFrom(url: string): void {
  instances.add(url)
}

/**
 * Fails the test that sees an answer of this service which the OpenAPI document does not know. Other servers' answers pass.
 *
 * @throws Error even where the caller goes on after it, the test file fails in the end
 */
export function requireDocumented(url: string, exchange: Exchange): void {
  if (!instances.has(url)) return
  const deviations = deviationsOf(exchange)
  if (deviations.length === 0) return
  const { method, path, status, text } = exchange
  const problem = `${method} ${path.slice(0, 80)} → ${status} ${text.slice(0, 200)}: ${deviations.join('; ')}`
  undocumented.push(problem)
  throw new Error(`not in the OpenAPI document: ${problem}`)
}

process.once('exit', () => {
  if (undocumented.length === 0) return
  console.error(['not in the OpenAPI document:', ...undocumented].join('\n  '))
  process.exitCode ||= 1
})
