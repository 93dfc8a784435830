import t from 'tap'
import { spawnProgram } from '../support/service-process.js'

/**
 * Ticks with full collections between them, when no tick is alive. Then V8 prints what it remembers of `process.nextTick`:
 * MEGAMORPHIC at a place of its code is the slow way, for good.
 */
const TICKS_AND_COLLECTIONS = `
  import { setTimeout as sleep } from 'node:timers/promises'
  for (let round = 0; round < 20; round++) {
    for (let tick = 0; tick < 50; tick++) process.nextTick(() => undefined)
    await sleep(2)
    for (let collection = 0; collection < 3; collection++) gc()
  }
  %DebugPrint(process.nextTick)
`

const TUNED = `
  import { tuneV8 } from ${JSON.stringify(new URL('../../dist/process/v8.js', import.meta.url).href)}
  tuneV8()
`

/** A function that runs once, and then enough garbage for several full collections. V8 prints whether it has its code still. */
const ONCE_AND_GARBAGE = `
  import { setImmediate as turn } from 'node:timers/promises'
  function once() {}
  once()
  for (let round = 0; round < 60; round++) {
    Array.from({ length: 40 }, () => new Array(200_000).fill(round))
    await turn()
  }
  %DebugPrint(once)
`

/** A hundred thousand objects from one place of the code, all of them kept. */
const KEPT_OBJECTS = `
  import { setImmediate as turn } from 'node:timers/promises'
  const kept = []
  const make = (count) => ({ count, list: [count] })
  for (let round = 0; round < 200; round++) {
    for (let count = 0; count < 500; count++) kept.push(make(count))
    await turn()
  }
`

function run(script: string, ...flags: string[]) {
  const args = [...flags, '--allow-natives-syntax', '--input-type=module', '--eval', script]
  return spawnProgram(process.execPath, args).exited
}

async function hasItsCode(script: string): Promise<boolean> {
  const { stdout, stderr } = await run(script, '--max-old-space-size=200')
  if (!stdout.includes('- source code:')) throw new Error(`V8 printed no function: ${stderr}`)
  return stdout.includes('- bytecode:')
}

/** Places of the code whose objects V8 decided to make old at birth. */
async function placesOfOldObjects(script: string): Promise<number> {
  const { code, stdout, stderr } = await run(
    script,
    '--max-semi-space-size=1',
    '--trace-pretenuring-statistics',
  )
  if (code !== 0) throw new Error(`the script did not end: ${stderr}`)
  return stdout.match(/ => tenure$/gm)?.length ?? 0
}

async function slowPlaces(script: string): Promise<number> {
  const { stdout, stderr } = await run(script, '--expose-gc')
  const places = [...stdout.matchAll(/DefineKeyedOwnPropertyInLiteral (\w+)/g)].map(([, state]) => state)
  if (places.length < 4) throw new Error(`a tick has four members or more, not ${places.length}: ${stderr}`)
  return places.filter((state) => state === 'MEGAMORPHIC').length
}

t.test('the shape of ticks outlives a full collection', async (t) => {
  t.equal(await slowPlaces(TUNED + TICKS_AND_COLLECTIONS), 0)
})

t.test('which it does not where none is kept', async (t) => {
  t.ok((await slowPlaces(TICKS_AND_COLLECTIONS)) > 0, 'else nothing has to be kept any more')
})

t.test('a function that nobody called for a while keeps its code', async (t) => {
  t.ok(await hasItsCode(TUNED + ONCE_AND_GARBAGE))
})

t.test('which it does not where V8 is told nothing', async (t) => {
  t.notOk(await hasItsCode(ONCE_AND_GARBAGE), 'else nothing has to be told any more')
})

t.test('nothing is made old at birth', async (t) => {
  t.equal(await placesOfOldObjects(TUNED + KEPT_OBJECTS), 0)
})

t.test('which it is where V8 is told nothing', async (t) => {
  t.ok((await placesOfOldObjects(KEPT_OBJECTS)) > 0, 'else nothing has to be told any more')
})
