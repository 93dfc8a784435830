import { createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'

// All settings of V8, except those that it reads before any code runs: they are in the Dockerfile's
// ENTRYPOINT and in `npm start`. What each buys is in docs/performance.md.

/**
 * How much the heap may grow beyond its live objects before a full collection, in percent; by
 * default more. Where many different tokens are checked, old garbage is mostly the claims of
 * evicted tokens. A much smaller value would be paid for by the slowest answers, which are those
 * that wait for a collection.
 */
const HEAP_GROWTH_PERCENT = 100

/**
 * Limits of inlining in optimised code, in bytes of bytecode: of each inlined function, and
 * cumulative. Twice the defaults. An answer passes through hundreds of functions of Node and
 * Fastify, and with these limits checks cost a twentieth less. Three times these values gain
 * nothing more.
 */
const INLINED_BYTES = { each: 1000, together: 2000 }

/** Pinned TickObjects. */
const kept: object[] = []

/** Sets V8's flags for this service. Called once, before anything else runs. */
export function tuneV8(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`)
  // V8 flushes the bytecode of functions that were unused for a few full collections. An idle
  // process has one every few seconds. After each quiet half-minute it would compile the functions
  // and collect their type feedback again, while requests wait.
  setFlagsFromString('--no-flush-bytecode')
  // V8 pretenures what an allocation site makes if nearly all of its last hundred objects survived
  // a collection. When many connections come at once, that is true of what their first requests
  // allocate. From then on each request would leave old garbage, which keeps alive whatever it
  // points to: the collector had three times as much work, for the life of the process.
  setFlagsFromString('--no-allocation-site-pretenuring')
  // A scavenge is too little work to share: the helper threads would wait for a core that a store
  // could use, or behind a flood of logins, and the event loop for them.
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString(`--max-inlined-bytecode-size=${INLINED_BYTES.each}`)
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES.together}`)
  keepTick()
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

/**
 * Pins one of the TickObjects that `process.nextTick` queues, and thereby their hidden class. Node
 * builds them with computed names, which is fast only with the hidden class that V8 saw first.
 * Between two ticks no TickObject is alive. A full collection at that moment takes the hidden class
 * with it, and from then on every tick, of which an answer has a handful, goes through the slow
 * runtime of V8.
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
