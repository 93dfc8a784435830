import t from 'tap'
import { spawnProgram } from './support/service-process.js'

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
  import { tuneV8 } from ${JSON.stringify(new URL('../dist/v8.js', import.meta.url).href)}
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

function run(script: string, flag: string) {
  const args = [flag, '--allow-natives-syntax', '--input-type=module', '--eval', script]
  return spawnProgram(process.execPath, args).exited
}

async function hasItsCode(script: string): Promise<boolean> {
  const { stdout, stderr } = await run(script, '--max-old-space-size=200')
  if (!stdout.includes('- source code:')) throw new Error(`V8 printed no function: ${stderr}`)
  return stdout.includes('- bytecode:')
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
