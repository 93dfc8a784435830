import { createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'

/**
 * How much the heap may grow beyond what lives in it before V8 looks for garbage, in percent; by default more. Where many
 * different tokens are shown, what grows old is mostly the claims of those that have been replaced. Much less than this would
 * be paid for by the slowest answers, which are those that wait for the looking.
 */
const HEAP_GROWTH_PERCENT = 100

/** What is never let go. */
const kept: object[] = []

/** Tells V8 how this service uses memory. Called once, before there is anything to do. */
export function tuneV8(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
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
