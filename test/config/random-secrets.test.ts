import t from 'tap'
import { isStrongSecret } from '../../src/secrets/signing-secret.js'
import { RANDOM_SECRETS, sampleBytes } from '../support/random-secrets.js'

const SAMPLES = 20_000

t.test('accepts as a signing key', async (t) => {
  for (const [form, print] of Object.entries(RANDOM_SECRETS)) {
    t.test(`${SAMPLES} results of ${form}`, async (t) => {
      const refused = Array.from({ length: SAMPLES }, (_, index) => print(sampleBytes(index))).filter(
        (secret) => !isStrongSecret(secret),
      )

      t.same(refused, [])
    })
  }
})
