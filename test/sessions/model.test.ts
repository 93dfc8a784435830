import t from 'tap'
import { explore } from '../model/explore.js'
import { BEYOND, SINGLE } from '../model/faults.js'
import { NOT_NEEDED, RECOMMENDED, WEAKENED } from '../model/variants.js'

// `npm run model` explores more configurations and prints the traces.
const quick = SINGLE.filter(({ effort }) => effort === 'quick')

for (const variant of RECOMMENDED) {
  t.test(`holds under every single fault: ${variant.name}`, async (t) => {
    for (const configuration of quick) {
      t.strictSame(explore({ variant, configuration }).findings, [], configuration.name)
    }
  })

  t.test(`breaks beyond single faults exactly as documented: ${variant.name}`, async (t) => {
    for (const configuration of BEYOND) {
      const { findings } = explore({ variant, configuration })
      const broken = findings.map(({ property }) => property)
      t.strictSame(broken.sort(), [...configuration.breaks[variant.recovery]].sort(), configuration.name)
    }
  })
}

t.test('finds the broken property of every weakened protocol', async (t) => {
  for (const variant of WEAKENED) {
    const configuration = SINGLE.find(({ name }) => name === variant.under)
    if (!configuration) throw new Error(`there is no configuration: ${variant.under}`)
    const { findings } = explore({ variant, configuration }, { stopAtFirst: true })
    const broken = findings.map(({ property }) => property)

    t.ok(broken.includes(variant.breaks), `${variant.name}: ${variant.breaks} under ${variant.under}`)
  }
})

t.test('holds without each part that is called not needed', async (t) => {
  for (const variant of NOT_NEEDED) {
    for (const configuration of quick) {
      t.strictSame(explore({ variant, configuration }).findings, [], `${variant.name}: ${configuration.name}`)
    }
  }
})
