import type { Configuration } from './faults.js'
import { hasEnded, letterOf, NOBODY, type Operation, type State, sessionOf, stampOf } from './state.js'
import type { Variant } from './variants.js'

/** What is explored: one variant of the protocol under one configuration of faults. */
export interface Model {
  variant: Variant
  configuration: Configuration
}

/** The first letter of a message to R: join, SET, DEL (X), DEL if equal (E). */
export type Write = 'J' | 'S' | 'X' | 'E'
export type Purpose = 'canary' | 'join'

export function nameOf(index: number, { configuration }: Model): string {
  const called = configuration.calls[index]
  if (called?.kind === 'logout') return `logout(${letterOf(called.of)})`
  return called?.kind === 'revoke' ? 'revoke' : letterOf(index)
}

/** A statement on its way to D, which compares with what was read. */
export const sending = (seen: string) => ({ phase: 'commit', statement: 'sent', seen }) as const

export function send(
  state: State,
  write: Write,
  purpose: Purpose | 'repair',
  index: number,
  row: string,
): State {
  const message = `${write}${purpose.charAt(0)}${index}${row}`
  return { ...state, messages: [...state.messages, message].sort() }
}

/**
 * Ends an operation: it has its answer, or never will. What it no longer needs is dropped, so that
 * fewer states differ.
 */
export function end(state: State, index: number, phase: '200' | '503' | 'crashed'): State {
  return tidy(change(state, index, { phase, attempts: 0 }), index)
}

/** Drops what an ended operation no longer needs: see {@link end}. */
export function tidy(state: State, index: number): State {
  const operation = at(state, index)
  if (!hasEnded(operation)) return state
  const row = operation.phase === '200' ? operation.row : ''
  return change(state, index, { row, seen: operation.statement === 'none' ? '' : operation.seen })
}

export function change(state: State, index: number, patch: Partial<Operation>): State {
  return { ...state, operations: state.operations.with(index, { ...at(state, index), ...patch }) }
}

export function at(state: State, index: number): Operation {
  const operation = state.operations[index]
  if (!operation) throw new Error(`there is no operation ${index}`)
  return operation
}

export function without(messages: string[], message: string): string[] {
  return messages.toSpliced(messages.indexOf(message), 1)
}

export function answerOf(state: State, index: number): string {
  const { phase } = at(state, index)
  return phase === '200' || phase === '503' ? `, answer ${phase}` : ''
}

/** A row or an entry as Redis would show it: `2.A`, a tombstone `3.`. */
export function show(row: string): string {
  return row === '' ? 'nothing' : `${stampOf(row)}.${sessionOf(row) === NOBODY ? '' : sessionOf(row)}`
}

/** After the commit in D, sends R the session or the tombstone. */
export function joinRow(state: State, index: number, row: string, variant: Variant): State {
  const isEnding = sessionOf(row) === NOBODY
  const write = variant.logout === 'DEL after D' && isEnding ? 'X' : variant.write === 'join' ? 'J' : 'S'
  const sent = send(change(state, index, { phase: 'join', row }), write, 'join', index, row)
  return variant.answers === 'before R' && sessionOf(row) === letterOf(index) ? end(sent, index, '200') : sent
}
