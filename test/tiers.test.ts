import { readFileSync } from 'node:fs'
import t from 'tap'
import { ALONE, holds, TIERS, type TierName, testFiles, tierOf } from './tiers.js'

const names = Object.keys(TIERS) as TierName[]

t.test('every test file is in exactly one tier', async (t) => {
  for (const file of testFiles()) {
    const named = names.filter((name) => holds(TIERS[name], file))
    t.ok(
      named.length <= 1,
      `${file} is named by ${named.join(' and ') || 'none, and so in the default tier'}`,
    )
    t.equal(tierOf(file), named[0] ?? 'default')
  }
})

t.test('every path in the tiers names existing test files', async (t) => {
  const files = testFiles()

  for (const path of names.flatMap((name): string[] => TIERS[name].files)) {
    t.ok(
      files.some((file) => holds({ files: [path] }, file)),
      path,
    )
  }
  for (const file of ALONE) t.ok(files.includes(file) && tierOf(file) === 'default', file)
})

t.test('every tier has test files, and a command that docs/testing.md explains', async (t) => {
  const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
  const { scripts } = JSON.parse(read('package.json'))

  for (const name of names) {
    const [script, command] =
      name === 'default' ? ['test', 'npm test'] : [`test:${name}`, `npm run test:${name}`]
    t.ok(
      testFiles().some((file) => tierOf(file) === name),
      name,
    )
    t.match(scripts[script], 'tsx test/run.ts')
    t.match(read('docs/testing.md'), `\`${command}\``)
  }
})
