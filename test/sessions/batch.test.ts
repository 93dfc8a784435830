import { setImmediate as immediate } from 'node:timers/promises'
import t from 'tap'
import { createBatch } from '../../src/sessions/batch.js'

t.test(
  'reads the questions of one turn of the event loop together, and gives each its own answer',
  async (t) => {
    const reads: (readonly number[])[] = []
    const ask = createBatch(async (ids: readonly number[]) => {
      reads.push(ids)
      return ids.map((id) => `answer ${id}`)
    })

    const first = [ask(3), ask(1), Promise.resolve().then(() => ask(3)), ask(2)]

    t.strictSame(await Promise.all(first), ['answer 3', 'answer 1', 'answer 3', 'answer 2'])
    t.strictSame(reads, [[3, 1, 2, 3]])
    t.equal(await ask(3), 'answer 3')
    t.strictSame(reads.slice(1), [[3]], 'nothing is kept')
  },
)

t.test('reads nothing before the turn is over', async (t) => {
  let read = false
  const ask = createBatch(async (ids: readonly number[]) => {
    read = true
    return [...ids]
  })
  const answer = ask(1)
  await new Promise<void>((resolve) => process.nextTick(resolve))
  t.notOk(read)
  t.equal(await answer, 1)
})

t.test('rejects only the question whose answer is an error', async (t) => {
  const ask = createBatch(async (ids: readonly number[]) =>
    ids.map((id) => (id === 2 ? new Error('no') : id)),
  )
  const answers = await Promise.allSettled([ask(1), ask(2), ask(3)])
  t.strictSame(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

t.test('rejects all questions of a failed read, and none of the next', async (t) => {
  let fail = true
  const ask = createBatch(async (ids: readonly number[]) => {
    if (fail) throw new Error('away')
    return [...ids]
  })
  const answers = await Promise.allSettled([ask(1), ask(2)])
  t.ok(answers.every(({ status }) => status === 'rejected'))
  fail = false
  t.equal(await ask(1), 1)
})

t.test('sends a full batch within the turn, and the rest at its end', async (t) => {
  const sizes: number[] = []
  const ask = createBatch(async (ids: readonly number[]) => {
    sizes.push(ids.length)
    return [...ids]
  })
  const ids = Array.from({ length: 80 }, (_, index) => index)

  const answers = ids.map(ask)

  t.strictSame(sizes, [32, 32])
  t.strictSame(await Promise.all(answers), ids)
  t.strictSame(sizes, [32, 32, 16])
  t.equal(await ask(7), 7)
  t.strictSame(sizes, [32, 32, 16, 1], 'each is sent once')
})

t.test('collects while each turn brings a question, and sends after a turn without one', async (t) => {
  const { ask, reads, sent } = answeredByHand()
  const answers = []
  for (let id = 1; id <= 5; id++) {
    answers.push(ask(id))
    await turns(1)
    t.strictSame(sent(), [], 'another question may come')
  }
  await turns(1)
  t.strictSame(sent(), [[1, 2, 3, 4, 5]], 'none came')
  reads[0]?.answer()
  t.strictSame(await Promise.all(answers), [1, 2, 3, 4, 5])
})

t.test('sends a batch without waiting for the answers to the one before', async (t) => {
  const { ask, reads, sent } = answeredByHand()
  const first = ask(1)
  await turns(2)
  const second = ask(2)
  await turns(2)
  t.strictSame(sent(), [[1], [2]])
  reads[1]?.answer()
  t.equal(await second, 2)
  reads[0]?.fail(new Error('away'))
  await t.rejects(first, { message: 'away' })
})

t.test('sends a full batch within the turn, also where it was collected over several turns', async (t) => {
  const { ask, sent } = answeredByHand()
  for (let id = 0; id < 31; id++) {
    ask(id)
    await turns(1)
  }
  t.strictSame(sent(), [])
  ask(31)
  t.strictSame(
    sent().map(({ length }) => length),
    [32],
  )
  await turns(3)
  t.equal(sent().length, 1, 'and is sent once')
})

/** A batch whose reads the test answers, each with the ids that it asks for. */
function answeredByHand() {
  const reads: { ids: readonly number[]; answer(): void; fail(error: Error): void }[] = []
  const ask = createBatch<number, number>(
    (ids) =>
      new Promise((resolve, reject) => {
        reads.push({ ids, answer: () => resolve([...ids]), fail: reject })
      }),
  )
  return { ask, reads, sent: () => reads.map(({ ids }) => ids) }
}

/** Waits for this many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await immediate()
}
