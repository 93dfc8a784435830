import { compareSync } from 'bcryptjs'
import t from 'tap'
import { clockThatGivesWay, createNotice } from '../src/services/give-way.js'

t.test('pauses once a millisecond while notice is given', async (t) => {
  const { notice, giveWay } = createNotice()
  let time = 1
  let pauses = 0
  const now = clockThatGivesWay({ notice, clock: () => time, pause: () => void pauses++ })

  t.equal(now(), 1)
  t.equal(pauses, 0, 'nobody has asked')

  giveWay()
  t.equal(now(), 1)
  t.equal(pauses, 0, 'not yet')
  time++
  t.equal(now(), 2)
  t.equal(pauses, 1)
  giveWay()
  now()
  t.equal(pauses, 1, 'the millisecond is not over')
  time++
  now()
  t.equal(pauses, 2)
  for (; time < 3 + 20; time++) now()
  t.equal(pauses, 11, 'for ten milliseconds after the last notice')
})

t.test('tells the time, and sleeps, where nothing else is given', async (t) => {
  const { notice, giveWay } = createNotice()
  const now = clockThatGivesWay({ notice })
  giveWay()
  const [before, began] = [Date.now(), performance.now()]

  const told = now()

  t.ok(performance.now() - began >= 0.1)
  t.ok(told >= before && told <= Date.now())
})

t.test('bcryptjs asks for the time in each of its rounds', async (t) => {
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
