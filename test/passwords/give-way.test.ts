import { compareSync } from 'bcryptjs'
import t from 'tap'
import { clockThatGivesWay, createNotice } from '../../src/passwords/give-way.js'

/** A clock that gives way, on a time that only the test and pauses advance. */
function setUp({ pauseTakes = 0.1 } = {}) {
  const { notice, giveWay } = createNotice()
  const state = { time: 1, pauses: 0 }
  const now = clockThatGivesWay({
    notice,
    monotonic: () => state.time,
    pause: () => {
      state.pauses++
      state.time += pauseTakes
    },
  })
  /** Computes, and reads the clock as often as bcryptjs does. */
  const compute = (ms: number) => {
    for (const end = state.time + ms; state.time < end; state.time += 0.1) now()
  }
  return { state, giveWay, now, compute }
}

t.test('pauses once a millisecond while notice is given', async (t) => {
  const { state, giveWay, compute } = setUp()

  compute(20)
  t.equal(state.pauses, 0, 'nobody has asked')

  for (let ms = 0; ms < 20; ms++) {
    giveWay()
    compute(1)
  }
  t.ok(state.pauses >= 17 && state.pauses <= 20, `${state.pauses} in 20 ms`)

  const before = state.pauses
  compute(50)
  const after = state.pauses - before
  t.ok(after >= 8 && after <= 10, `${after}: for ten milliseconds after the last notice`)
})

t.test('computes for a millisecond after each pause, however long the pause took', async (t) => {
  const { state, giveWay, now } = setUp({ pauseTakes: 4 })
  let computed = 0

  while (state.pauses < 100) {
    giveWay()
    now()
    state.time += 0.1
    computed += 0.1
  }

  t.ok(computed > 99, `${computed.toFixed(1)} ms between 100 pauses`)
})

t.test('pauses no longer when the wall clock is set back', async (t) => {
  const clock = Date.now
  let setBy = 0
  t.teardown(() => {
    Date.now = clock
  })
  Date.now = () => clock() + setBy
  const { notice, giveWay } = createNotice()
  let pauses = 0
  const now = clockThatGivesWay({ notice, pause: () => void pauses++ })
  const askFor = (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end; ) now()
  }
  giveWay()
  askFor(3)
  t.ok(pauses > 0)

  setBy = -3_600_000
  askFor(50)

  t.ok(pauses <= 10, `${pauses} pauses`)
  t.ok(now() <= clock() - 3_599_000, 'it tells the time as it is set')
})

t.test('tells the time and sleeps where no clock and no pause are given', async (t) => {
  const { notice, giveWay } = createNotice()
  const now = clockThatGivesWay({ notice })
  giveWay()
  const [before, began] = [Date.now(), performance.now()]

  const told = now()

  t.ok(performance.now() - began >= 0.1)
  t.ok(told >= before && told <= Date.now())
})

t.test('bcryptjs reads the clock in each of its rounds', async (t) => {
  const clock = Date.now
  let asked = 0
  t.teardown(() => {
    Date.now = clock
  })
  Date.now = () => {
    asked++
    return clock()
  }

  compareSync('seven wet umbrellas', '$2b$04$0RpIOqErL1Vfm7oHdLPg3e6E7JV16QY32b6.KEewN8W.fIsJMoJT6')

  Date.now = clock
  t.ok(asked >= 2 ** 4, `${asked} times`)
})
