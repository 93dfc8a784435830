import t from 'tap'
import { createAskAgain } from '../../src/stores/postgres/ask-again.js'

/** A store whose reads the test answers. */
function store() {
  const asked: { answer(value: string): void; fail(error: Error): void }[] = []
  let more = () => {}
  return {
    asked,
    ask: () =>
      new Promise<string>((answer, fail) => {
        asked.push({ answer, fail })
        more()
      }),
    /** Resolves once the store has been asked this often. */
    until: (times: number) =>
      new Promise<void>((resolve) => {
        more = () => asked.length >= times && resolve()
        more()
      }),
  }
}

t.test('does not hedge a read that is answered in time', async (t) => {
  const { asked, ask } = store()
  const answer = createAskAgain()(ask, ask)
  asked[0]?.answer('first')
  t.equal(await answer, 'first')
  await new Promise((resolve) => setTimeout(resolve, 40))
  t.equal(asked.length, 1)
})

t.test('hedges a late read, and takes whichever answer comes first', async (t) => {
  for (const [soonest, said] of [
    [1, 'second'],
    [0, 'first'],
  ] as const) {
    const { asked, ask, until } = store()
    const answer = createAskAgain()(ask, ask)
    await until(2)
    asked[soonest]?.answer(said)
    t.equal(await answer, said)
  }
})

t.test('fails at once before it hedges, and after that only where both reads fail', async (t) => {
  const quick = store()
  const refused = createAskAgain()(quick.ask, quick.ask)
  quick.asked[0]?.fail(new Error('refused'))
  await t.rejects(refused, { message: 'refused' })

  const late = store()
  const answer = createAskAgain()(late.ask, late.ask)
  await late.until(2)
  late.asked[0]?.fail(new Error('lost'))
  late.asked[1]?.answer('second')
  t.equal(await answer, 'second')

  const both = store()
  const none = createAskAgain()(both.ask, both.ask)
  await both.until(2)
  both.asked[1]?.fail(new Error('lost'))
  both.asked[0]?.fail(new Error('lost, too'))
  await t.rejects(none, { message: /^lost/ })
})

t.test('hedges one read at a time, so that a slow store is not asked twice for everything', async (t) => {
  const { asked, ask, until } = store()
  const soonest = createAskAgain()
  const answers = [soonest(ask, ask), soonest(ask, ask), soonest(ask, ask)]
  await until(4)
  await new Promise((resolve) => setTimeout(resolve, 40))
  t.equal(asked.length, 4)
  for (const { answer } of asked) answer('now')
  t.strictSame(await Promise.all(answers), ['now', 'now', 'now'])

  const later = soonest(ask, ask)
  await until(6)
  asked[5]?.answer('again')
  t.equal(await later, 'again', 'and the next late one is asked again')
})
