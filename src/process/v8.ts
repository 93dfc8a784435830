import { createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'

/**
 * How much the heap may grow beyond what lives in it before V8 looks for garbage, in percent; by default more. Where many
 * different tokens are shown, what grows old is mostly the claims of those that have been replaced. Much less than this would
 * be paid for by the slowest answers, which are those that wait for the looking.
 */
const HEAP_GROWTH_PERCENT = 100

/**
 * How much of other functions V8 may put into one that it optimises, in bytes of their bytecode: of each, and together. By
 * default half as much. An answer passes through hundreds of functions of Node and Fastify, and calling them takes time: checks
 * cost a twentieth less so. Three times as much as this gains nothing more.
 */
const INLINED_BYTES = { each: 1000, together: 2000 }

/** What is never let go. */
const kept: object[] = []

/** Tells V8 what this service is like. Called once, before there is anything to do. */
export function tuneV8(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
  // V8 throws away the code of functions that it saw no use of for a few full collections, of which an idle process has one every
  // few seconds: after each quiet half-minute it would compile them again, and learn again what they do, while requests wait.
  setFlagsFromString('--no-flush-bytecode')
  // V8 makes old at birth what comes from a place of the code whose last hundred objects nearly all outlived a collection. When
  // many clients come at once, that is true of what their first requests are made of. From then on each request would leave old
  // garbage, which keeps alive whatever it points to: the collector had three times as much to do, for the life of the process.
  setFlagsFromString('--no-allocation-site-pretenuring')
  // To collect what is young is too little work to share: the other threads would wait for a core that a store could use, or behind
  // a flood of logins, and the event loop for them.
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString(`--max-inlined-bytecode-size=${INLINED_BYTES.each}`)
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES.together}`)
  keepTick()
}

/**
 * Keeps one of the objects that `process.nextTick` queues, and thereby their shape. Node builds them with computed names,
 * which V8 does fast only as long as the shape is the one that it saw first. Between two ticks there is no such object: a
 * full collection that falls there takes the shape with it, and from then on every tick, of which an answer has a handful,
 * goes through V8's slow runtime.
 */
function keepTick(): void {
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'TickObject') kept.push(resource)
    },
  }).enable()
  process.nextTick(() => undefined)
  hook.disable()
}
