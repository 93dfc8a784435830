import { identifySteps } from './identify.js'
import { mishaps } from './mishaps.js'
import { type Model, nameOf } from './operations.js'
import { brokenBy, brokenIn, type Property } from './properties.js'
import { serviceSteps } from './protocol.js'
import { initialState, isRunning, keyOf, type State } from './state.js'
import type { Step } from './steps.js'

export interface Finding {
  property: Property
  /** The shortest path there, a line per step. */
  trace: string[]
}

export interface Result {
  states: number
  transitions: number
  /**
   * The search is breadth first, so each trace is the shortest for its property, and the first the
   * shortest of all.
   */
  findings: Finding[]
}

/**
 * What a caller can notice. The protocol relies on the other properties, which break before a
 * caller notices anything.
 */
const NOTICED = new Set<Property>(['S1', 'S3/S4', 'S5', 'L1', 'L2', 'L3', 'Lin', 'canary'])

/**
 * Visits every reachable state, breadth first, and checks after every step what it broke. Keeps
 * only the keys of visited states, each with the number of the state that it was first reached
 * from: a trace is found by walking from the start again.
 */
export function explore(model: Model, { stopAtFirst = false } = {}): Result {
  const { calls, faults } = model.configuration
  const start = initialState(calls.length, faults)
  const numbers = new Map<string, number>([[keyOf(start), 0]])
  const parents = [-1]
  const found = new Map<Property, string[]>()
  let transitions = 0
  let layer: [State, number][] = [[start, 0]]

  while (layer.length > 0) {
    const next: [State, number][] = []
    for (const [state, number] of layer) {
      const steps = stepsFrom(state, model)
      transitions += steps.length
      if (isStuck(state, steps, model)) note('L3', number)
      for (const step of steps) {
        const key = keyOf(step.state)
        const isNew = !numbers.has(key)
        for (const property of brokenBy(state, step, model)) note(property, number, step)
        if (isNew) {
          for (const property of brokenIn(step.state, model)) note(property, number, step)
          next.push([step.state, numbers.size])
          numbers.set(key, numbers.size)
          parents.push(number)
        }
        if (stopAtFirst && [...found.keys()].some((property) => NOTICED.has(property))) return result()
      }
    }
    layer = next
  }
  return result()

  function note(property: Property, number: number, last?: Step): void {
    if (found.has(property)) return
    found.set(property, [...wayTo(number).map(describe), ...(last ? [describe(last)] : [])])
  }

  function wayTo(number: number): Step[] {
    const way: number[] = []
    for (let at = number; at > 0; at = parents[at] ?? 0) way.unshift(at)
    let state = start
    return way.map((target) => {
      const step = stepsFrom(state, model).find((step) => numbers.get(keyOf(step.state)) === target)
      if (!step) throw new Error('a visited state cannot be reached again')
      state = step.state
      return step
    })
  }

  function result(): Result {
    const findings = [...found].map(([property, trace]) => ({ property, trace }))
    return { states: numbers.size, transitions, findings }
  }
}

function stepsFrom(state: State, model: Model): Step[] {
  const steps: Step[] = []
  const add = (step: Step) => steps.push(step)
  serviceSteps(state, model, add)
  identifySteps(state, model, add)
  mishaps(state, model, add)
  return steps
}

/** Whether a request can only wait: none of the next steps is its own. */
function isStuck({ operations }: State, steps: Step[], model: Model): boolean {
  return operations.some((operation, index) => {
    if (!isRunning(operation)) return false
    const name = nameOf(index, model)
    return !steps.some(({ who }) => who === name)
  })
}

function describe({ who, name, outcome }: Step): string {
  return `${who}: ${name}${outcome ? ` (${outcome})` : ''}`
}
