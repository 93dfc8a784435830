import t from 'tap'
import { createBatch } from '../src/services/batch.js'

t.test(
  'what is asked in one turn of the event loop is read at once, and each gets its own answer',
  async (t) => {
    const reads: (readonly number[])[] = []
    const ask = createBatch(async (ids) => {
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

t.test('nothing is read before the turn is over', async (t) => {
  let read = false
  const ask = createBatch(async (ids) => {
    read = true
    return [...ids]
  })
  const answer = ask(1)
  await new Promise<void>((resolve) => process.nextTick(resolve))
  t.notOk(read)
  t.equal(await answer, 1)
})

t.test('an error in the place of an answer is that question’s alone', async (t) => {
  const ask = createBatch(async (ids) => ids.map((id) => (id === 2 ? new Error('no') : id)))
  const answers = await Promise.allSettled([ask(1), ask(2), ask(3)])
  t.strictSame(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

t.test('a read that fails fails all that it was for, and none after it', async (t) => {
  let fail = true
  const ask = createBatch(async (ids) => {
    if (fail) throw new Error('away')
    return [...ids]
  })
  const answers = await Promise.allSettled([ask(1), ask(2)])
  t.ok(answers.every(({ status }) => status === 'rejected'))
  fail = false
  t.equal(await ask(1), 1)
})

t.test('a full batch is sent at once, while the turn goes on, and the rest at its end', async (t) => {
  const sizes: number[] = []
  const ask = createBatch(async (ids) => {
    sizes.push(ids.length)
    return [...ids]
  })
  const ids = Array.from({ length: 100 }, (_, index) => index)

  const answers = ids.map(ask)

  t.strictSame(sizes, [40, 40])
  t.strictSame(await Promise.all(answers), ids)
  t.strictSame(sizes, [40, 40, 20])
  t.equal(await ask(7), 7)
  t.strictSame(sizes, [40, 40, 20, 1], 'each is sent once')
})
