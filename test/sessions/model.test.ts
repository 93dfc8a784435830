import t from 'tap'
import { explore } from '../model/explore.js'
import { BEYOND, SINGLE } from '../model/faults.js'
import { NOT_NEEDED, RECOMMENDED, WEAKENED } from '../model/variants.js'

// `npm run model` explores more configurations and prints the traces.
const quick = SINGLE.filter(({ effort }) => effort === 'quick')

for (const variant of RECOMMENDED) {
  t.test(`the protocol holds under every single fault: ${variant.name}`, async (t) => {
    for (const configuration of quick) {
      t.strictSame(explore({ variant, configuration }).findings, [], configuration.name)
    }
  })

  t.test(`beyond single faults it breaks where documented: ${variant.name}`, async (t) => {
    for (const configuration of BEYOND) {
      const { findings } = explore({ variant, configuration })
      const broken = findings.map(({ property }) => property)
      t.strictSame(broken.sort(), [...configuration.breaks[variant.recovery]].sort(), configuration.name)
    }
  })
}

t.test('every weakened protocol is caught', async (t) => {
  for (const variant of WEAKENED) {
    const configuration = SINGLE.find(({ name }) => name === variant.under)
    if (!configuration) throw new Error(`there is no configuration: ${variant.under}`)
    const { findings } = explore({ variant, configuration }, { stopAtFirst: true })
    const broken = findings.map(({ property }) => property)

    t.ok(broken.includes(variant.breaks), `${variant.name}: ${variant.breaks} under ${variant.under}`)
  }
})

t.test('what is called not needed is indeed not missed', async (t) => {
  for (const variant of NOT_NEEDED) {
    for (const configuration of quick) {
      t.strictSame(explore({ variant, configuration }).findings, [], `${variant.name}: ${configuration.name}`)
    }
  }
})
