import t from 'tap'
import { createAskAgain } from '../../src/stores/postgres/ask-again.js'

/** Answers each asking when the test says so. */
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
    /** Resolves once it has been asked so often. */
    until: (times: number) =>
      new Promise<void>((resolve) => {
        more = () => asked.length >= times && resolve()
        more()
      }),
  }
}

t.test('an answer in time is the only one', async (t) => {
  const { asked, ask } = store()
  const answer = createAskAgain()(ask, ask)
  asked[0]?.answer('first')
  t.equal(await answer, 'first')
  await new Promise((resolve) => setTimeout(resolve, 40))
  t.equal(asked.length, 1)
})

t.test('a late question is asked again, and the first answer counts, whichever it is', async (t) => {
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

t.test('it fails only where nobody answers, and at once where nobody else was asked', async (t) => {
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

t.test('one at a time: a store that is slow as a whole is not asked twice for everything', async (t) => {
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
