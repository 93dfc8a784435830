import t from 'tap'
import { spawnProgram } from '../support/service-process.js'

/**
 * Runs full collections while no TickObject is alive, then has V8 print the feedback of
 * `process.nextTick`: a place of its code that is MEGAMORPHIC stays on the slow path.
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
  import { tuneV8 } from ${JSON.stringify(new URL('../../dist/v8.js', import.meta.url).href)}
  tuneV8()
`

/**
 * Runs a function once, makes garbage for several full collections, then has V8 print whether the
 * function still has its bytecode.
 */
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

/** Keeps a hundred thousand objects of one allocation site. */
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

/** The number of allocation sites that V8 decided to pretenure. */
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

t.test('keeps process.nextTick off the slow path after full collections, with tuneV8', async (t) => {
  t.equal(await slowPlaces(TUNED + TICKS_AND_COLLECTIONS), 0)
})

t.test('leaves process.nextTick on the slow path without tuneV8', async (t) => {
  t.ok((await slowPlaces(TICKS_AND_COLLECTIONS)) > 0, 'else nothing has to be kept any more')
})

t.test('keeps the bytecode of a function that is not called, with tuneV8', async (t) => {
  t.ok(await hasItsCode(TUNED + ONCE_AND_GARBAGE))
})

t.test('flushes the bytecode of a function that is not called, without tuneV8', async (t) => {
  t.notOk(await hasItsCode(ONCE_AND_GARBAGE), 'else nothing has to be told any more')
})

t.test('pretenures nothing, with tuneV8', async (t) => {
  t.equal(await placesOfOldObjects(TUNED + KEPT_OBJECTS), 0)
})

t.test('pretenures kept objects, without tuneV8', async (t) => {
  t.ok((await placesOfOldObjects(KEPT_OBJECTS)) > 0, 'else nothing has to be told any more')
})
