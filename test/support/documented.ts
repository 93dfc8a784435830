import { deviationsOf, type Exchange } from './deviations.js'

const instances = new Set<string>()
const undocumented: string[] = []

/** Compares the answers of the instance at this address with the OpenAPI document from now on. */
export function expectDocumentedFrom(url: string): void {
  instances.add(url)
}

/**
 * Fails the test for an answer of an instance that the OpenAPI document does not have. Answers of
 * other servers pass.
 *
 * @throws Error; where the caller catches it, the test file still fails in the end
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
