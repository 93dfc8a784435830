import t from 'tap'
import { type Claim, createFairQueue } from '../../src/passwords/fair-queue.js'

type Named = Claim & { name: string }

const claim = (name: string, network: string, account = name, work = 1): Named => ({
  name,
  network,
  account,
  work,
})

/**
 * A queue with room for this much work. `push` gives the names of the claims that lose their room,
 * `served` the names of all in the order in which they are served.
 */
function queueOf(room: number) {
  const queue = createFairQueue<Named>(() => room)
  const served = () => {
    const names: string[] = []
    for (let next = queue.shift(); next; next = queue.shift()) {
      names.push(next.name)
      queue.finish(next)
    }
    return names.join(' ')
  }
  const hasRoomFor = (newcomer: Named) => {
    const hasRoom = queue.expect(newcomer)
    queue.forget(newcomer)
    return hasRoom
  }
  return { ...queue, hasRoomFor, push: (pushed: Named) => names(queue.push(pushed)), served }
}

function names(claims: readonly Named[]): string {
  return claims.map(({ name }) => name).join(' ')
}

t.test('serves in the order of arrival where everybody has one claim', async (t) => {
  const { push, served } = queueOf(10)
  for (const name of ['a', 'b', 'c']) t.equal(push(claim(name, `network of ${name}`)), '')

  t.equal(served(), 'a b c')
})

t.test('serves a network with many claims in turn with the others', async (t) => {
  const { push, served } = queueOf(10)
  for (const name of ['flood1', 'flood2', 'flood3', 'flood4']) push(claim(name, 'flood'))
  for (const name of ['b', 'c']) push(claim(name, `network of ${name}`))
  push(claim('b2', 'network of b'))

  t.equal(served(), 'flood1 b c flood2 b2 flood3 flood4')
})

t.test('serves an account with claims from many networks in turn with the others', async (t) => {
  const { push, served } = queueOf(10)
  for (const from of [1, 2, 3, 4]) push(claim(`flood${from}`, `network ${from}`, 'victim'))
  for (const name of ['b', 'c']) push(claim(name, `network of ${name}`))

  t.equal(served(), 'flood1 b c flood2 flood3 flood4')
})

t.test('counts a running claim as a turn', async (t) => {
  const { push, shift, served } = queueOf(10)
  push(claim('flood1', 'flood'))
  shift()
  for (const name of ['flood2', 'flood3']) push(claim(name, 'flood'))
  push(claim('b', 'network of b'))

  t.equal(served(), 'b flood2 flood3')
})

t.test(
  'keeps room for claims that are expected, but not from newcomers whose turn comes first',
  async (t) => {
    const { expect, forget, hasRoomFor } = queueOf(3)
    const expected = ['flood1', 'flood2', 'flood3'].map((name) => claim(name, 'flood'))
    t.same(expected.map(expect), [true, true, true])

    t.equal(hasRoomFor(claim('flood4', 'flood')), false)
    t.equal(hasRoomFor(claim('b', 'network of b')), true)
    for (const one of expected) forget(one)
    t.equal(hasRoomFor(claim('flood4', 'flood')), true)
  },
)

t.test('a full queue', async (t) => {
  t.test('gives a newcomer the room of the last claim of the network that has the most', async (t) => {
    const { push, hasRoomFor, served } = queueOf(3)
    for (const name of ['flood1', 'flood2', 'flood3']) t.equal(push(claim(name, 'flood')), '')

    t.equal(hasRoomFor(claim('flood4', 'flood')), false)
    t.equal(push(claim('flood4', 'flood')), 'flood4')
    t.equal(hasRoomFor(claim('b', 'network of b')), true)
    t.equal(push(claim('b', 'network of b')), 'flood3')
    t.equal(push(claim('c', 'network of c')), 'flood2')
    t.equal(push(claim('d', 'network of d')), 'd', 'everybody has one')
    t.equal(served(), 'flood1 b c')
  })

  t.test(
    'lets in the owner of a flooded account, and other accounts from the flooding network',
    async (t) => {
      const { push, shift, served } = queueOf(3)
      push(claim('flood', 'flood', 'victim'))
      shift()
      for (const name of ['flood2', 'flood3', 'flood4']) push(claim(name, 'flood', 'victim'))

      t.equal(push(claim('owner', 'home', 'victim')), 'flood4')
      t.equal(push(claim('colleague', 'flood', 'another')), 'flood3')
      t.equal(served(), 'owner colleague flood2')
    },
  )

  t.test('gives costly work the room of several claims', async (t) => {
    const { push } = queueOf(4)
    for (const name of ['flood1', 'flood2', 'flood3', 'flood4']) push(claim(name, 'flood'))

    t.equal(push(claim('b', 'network of b', 'b', 4)), 'flood2 flood3 flood4')
  })

  t.test('takes one claim, however costly', async (t) => {
    const { push } = queueOf(1)

    t.equal(push(claim('a', 'network of a', 'a', 1000)), '')
    t.equal(push(claim('b', 'network of b')), 'b')
  })
})

t.test('does not serve a claim that was removed', async (t) => {
  const { push, remove, shift, finish } = queueOf(10)
  const [begun, waiting] = [claim('begun', 'a'), claim('waiting', 'a')]
  push(begun)
  push(waiting)
  shift()

  t.equal(remove(begun), false, 'what has begun is finished')
  t.equal(remove(waiting), true)
  t.equal(remove(waiting), false)
  finish(begun)
  t.equal(shift(), undefined)
})

t.test('keeps its rules in 3,000 random schedules', async (t) => {
  const random = createRandom(20)
  for (let schedule = 0; schedule < 3000; schedule++) {
    const wrong = runSchedule(random)
    if (wrong) t.fail(`schedule ${schedule}: ${wrong}`)
  }

  t.pass()
})

t.test('starves neither callers who come once nor a flood', async (t) => {
  const random = createRandom(7)
  for (const threads of [1, 2, 3, 7]) {
    const sums = { served: 0, refused: 0, others: 0 }
    for (let schedule = 0; schedule < 50; schedule++) {
      const { served, refused, others } = flood(threads, random)
      sums.served += served
      sums.refused += refused
      sums.others += others
    }

    // The flood is four times what the threads can do. The others ask for a third of what they can
    // do, but sometimes for more.
    t.ok(sums.refused < 0.01 * sums.others, `${sums.refused} of ${sums.others} refused, ${threads} threads`)
    t.ok(sums.served > 0.6 * 200 * 50 * threads, `${sums.served} of the flood served`)
  }
})

/** Pushes, begins, finishes and removes claims at random. Gives the first broken rule, if any. */
function runSchedule(random: (below: number) => number): string | undefined {
  const room = 1 + random(12)
  const threads = 1 + random(3)
  const queue = createFairQueue<Named>(() => room)
  const waiting = new Set<Named>()
  const running = new Set<Named>()
  const gone = (claim: Named) => waiting.delete(claim)

  for (let step = 0; step < 60; step++) {
    const action = random(10)
    if (action < 6) {
      const newcomer = claim(`${step}`, `network ${random(4)}`, `account ${random(5)}`, 1 + random(4))
      const others = [...waiting, ...running]
      const isNew = others.every((o) => o.network !== newcomer.network && o.account !== newcomer.account)
      const hasRoom = queue.expect(newcomer)
      queue.forget(newcomer)
      const shed = queue.push(newcomer)
      waiting.add(newcomer)
      if (hasRoom === shed.includes(newcomer)) return 'it says otherwise than it does'
      if (shed.includes(newcomer) && shed.length > 1) return 'refused, and took room nevertheless'
      for (const one of shed) if (!gone(one)) return `${one.name} was shed and did not wait`
      if (isNew && !hasRoom && workOfFirst([...waiting]) < room) return 'a first one was refused for a second'
      if (workOf(waiting) >= room + 4) return `${workOf(waiting)} wait where there is room for ${room}`
      if (shed.length === 0 || hasRoom) continue
      if (workOf(waiting) < room) return 'refused beside room'
    } else if (action < 8) {
      if (running.size === threads) continue
      const next = queue.shift()
      if (!next !== (waiting.size === 0)) return 'work is not served although it waits'
      if (!next) continue
      if (!gone(next)) return `${next.name} was served and did not wait`
      running.add(next)
    } else if (action === 8) {
      const [done] = running
      if (!done) continue
      running.delete(done)
      queue.finish(done)
    } else {
      const [late] = waiting
      if (late && !(queue.remove(late) && gone(late))) return 'what waits cannot be taken out'
    }
    if (queue.running() !== running.size) return 'it has lost count of what runs'
  }
  return undefined
}

/** The most work that can wait with one claim of each network. */
function workOfFirst(claims: readonly Named[]): number {
  const networks = new Set(claims.map(({ network }) => network))
  const mostOf = (of: string) =>
    Math.max(...claims.filter(({ network }) => network === of).map(({ work }) => work))
  return [...networks].reduce((sum, network) => sum + mostOf(network), 0)
}

function workOf(claims: Iterable<Named>): number {
  return [...claims].reduce((sum, { work }) => sum + work, 0)
}

/**
 * Runs 200 rounds. In each, every thread serves one claim, and one network pushes four times as
 * many claims.
 */
function flood(threads: number, random: (below: number) => number) {
  const queue = createFairQueue<Named>(() => 3 * threads)
  let [served, refused, others] = [0, 0, 0]
  let running: Named[] = []
  for (let round = 0; round < 200; round++) {
    const arrivals = Array.from({ length: 4 * threads }, (_, index) => claim(`${round}.${index}`, 'flood'))
    for (let thread = 0; thread < threads; thread++) {
      if (random(3) > 0) continue
      others++
      arrivals.splice(
        random(arrivals.length),
        0,
        claim(`other ${round}.${thread}`, `other ${round}.${thread}`),
      )
    }
    for (const arrival of arrivals) {
      refused += queue.push(arrival).filter(({ network }) => network !== 'flood').length
    }
    for (const done of running) queue.finish(done)
    running = Array.from({ length: threads }, () => queue.shift()).filter((next) => next !== undefined)
    served += running.filter(({ network }) => network === 'flood').length
  }
  return { served, refused, others }
}

/** The same numbers at each run (Numerical Recipes' linear congruential generator). */
function createRandom(seed: number) {
  let state = seed
  return (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
