import { readFileSync } from 'node:fs'
import t from 'tap'
import { TRICKS } from '../bench/trick-list.js'
import { MUTANTS } from './mutants/mutants.js'
import { edited } from './mutants/plant.js'

const DIST = new URL('../dist/', import.meta.url)

t.test('every mutant can still be planted in the built code, and every trick removed', async (t) => {
  for (const { name, edits } of [...MUTANTS, ...TRICKS.filter(({ edits }) => edits.length > 0)]) {
    const code = new Map<string, string>()
    for (const edit of edits) {
      const before = code.get(edit.file) ?? readFileSync(new URL(edit.file, DIST), 'utf8')
      code.set(edit.file, edited(before, edit))
    }
    t.ok(code.size > 0, name)
  }
})
