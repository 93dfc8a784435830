import assert from 'node:assert'
import t from 'tap'
import { createTally } from '../../src/logs/tally.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'

t.test('says a burst in one line, and what follows soon in the line at the end', async (t) => {
  const lines: string[] = []
  const { count, end } = createTally((counts) => void lines.push(counts))

  for (let times = 0; times < 36; times++) count('full')
  for (let times = 0; times < 4; times++) count('late')
  await until(() => assert.equal(lines.length, 1), PATIENCE)
  count('full')
  end()
  end()

  t.strictSame(lines, ['full (36), late (4)', 'full (1)'])
})
