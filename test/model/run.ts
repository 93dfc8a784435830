/**
 * `npm run model` explores every variant of the session protocol under every configuration of
 * faults; `npm run model -- --quick` explores the smaller half. Fails when the recommended protocol
 * breaks under a single fault, when a weakened one is not caught, or when anything beyond single
 * faults differs from what is documented.
 *
 * The model has one user. It leaves out passwords and status, which the statements in D check
 * beside the stamp. It also leaves out real time: a time limit may pass at any moment, and a token
 * may expire at any moment after its login was answered.
 */
import { explore, type Finding, type Result } from './explore.js'
import { BEYOND, type Configuration, SINGLE } from './faults.js'
import { NOT_NEEDED, RECOMMENDED, type Variant, WEAKENED } from './variants.js'

const quick = process.argv.includes('--quick')
const isExplored = ({ effort }: Configuration) => !quick || effort === 'quick'
const start = performance.now()
const total = { runs: 0, states: 0, transitions: 0 }
const wrong: string[] = []

for (const variant of RECOMMENDED) {
  heading(variant, 'must hold under every single fault')
  for (const configuration of SINGLE.filter(isExplored)) {
    const { findings } = run(variant, configuration)
    if (findings.length > 0) wrong.push(`${variant.name} breaks under: ${configuration.name}`)
  }
  heading(variant, 'beyond single faults')
  for (const configuration of BEYOND.filter(isExplored)) {
    const found = run(variant, configuration).findings.map(({ property }) => property)
    const documented = configuration.breaks[variant.recovery]
    const isAsDocumented =
      found.length === documented.length && documented.every((one) => found.includes(one))
    if (!isAsDocumented) wrong.push(`${variant.name} is not as documented under: ${configuration.name}`)
  }
}
for (const variant of WEAKENED) {
  heading(variant, `must be caught, by ${variant.breaks} under: ${variant.under}`)
  // The quick run explores only what is known to break the variant. The full run explores all that
  // might.
  const asked = SINGLE.filter(({ name, effort }) => (quick ? name === variant.under : effort !== 'thorough'))
  const isCaught = asked.map((configuration) => {
    const { findings } = run(variant, configuration, { stopAtFirst: true })
    return (
      configuration.name === variant.under && findings.some(({ property }) => property === variant.breaks)
    )
  })
  if (!isCaught.includes(true)) wrong.push(`${variant.name} is not caught`)
}
for (const variant of NOT_NEEDED) {
  heading(variant, 'found not to be needed for any single fault')
  for (const configuration of [...SINGLE, ...BEYOND].filter(isExplored)) run(variant, configuration)
}

const seconds = ((performance.now() - start) / 1000).toFixed(1)
console.log(
  `\n${total.runs} searches, ${total.states} states, ${total.transitions} transitions, ${seconds} s`,
)
for (const line of wrong) console.log(`WRONG: ${line}`)
process.exitCode = wrong.length > 0 ? 1 : 0

function run(variant: Variant, configuration: Configuration, how = {}): Result {
  progress(`${total.runs + 1}: ${variant.name} | ${configuration.name}`)
  const result = explore({ variant, configuration }, how)
  progress('')
  total.runs++
  total.states += result.states
  total.transitions += result.transitions
  const verdict = result.findings.length > 0 ? 'violated' : 'holds   '
  console.log(
    `${verdict} | ${configuration.name} | ${result.states} states, ${result.transitions} transitions`,
  )
  for (const { property, trace } of result.findings) show({ property, trace })
  return result
}

function show({ property, trace }: Finding): void {
  console.log(`    ${property} after ${trace.length} steps:`)
  for (const step of trace) console.log(`      ${step}`)
}

function heading({ name }: Variant, expectation: string): void {
  console.log(`\n=== ${name}: ${expectation}`)
}

/** Shows what is being explored, on one line that is overwritten. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${line}`)
}
