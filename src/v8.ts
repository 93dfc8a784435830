import { createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'

// Everything that this service sets or knows of V8. What each buys is in docs/performance.md.

/**
 * How much the heap may grow beyond its live objects before a full collection, in percent; by
 * default more. Where many different tokens are checked, old garbage is mostly the claims of
 * evicted tokens.
 */
const HEAP_GROWTH_PERCENT = 100

const pinned: object[] = []

/** Called once, before anything else runs. */
export function tuneV8(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
  pinTick()
}

/**
 * Pins one of the TickObjects that `process.nextTick` queues, and thereby their hidden class. Node
 * builds them with computed names, which is fast only with the hidden class that V8 saw first.
 * Between two ticks no TickObject is alive. A full collection at that moment takes the hidden class
 * with it, and from then on every tick, of which an answer has a handful, goes through the slow
 * runtime of V8.
 */
function pinTick(): void {
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'TickObject') pinned.push(resource)
    },
  }).enable()
  process.nextTick(() => undefined)
  hook.disable()
}

/**
 * Keeps V8 from optimising WebAssembly: that takes a core and memory at every start, and checks are
 * not faster for it. Called before PGlite is loaded.
 */
export function tuneV8ForPGlite(): void {
  // Together they mean --liftoff-only, which Node 24 ignores once V8 runs.
  setFlagsFromString('--no-wasm-tier-up')
  setFlagsFromString('--no-wasm-dynamic-tiering')
}
