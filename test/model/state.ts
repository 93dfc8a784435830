/**
 * The whole state of one user, small enough to visit millions. A row of D and an entry of R are the
 * same three characters: stamp, session (`-` for none: a tombstone), and the login whose expiry it
 * carries. R may also be ''.
 */
export interface State {
  D: string
  R: string
  /**
   * Earlier rows and entries, three characters each, that a store may fall back to. Kept only while
   * it may.
   */
  pastD: string
  pastR: string
  clock: number
  /** The largest stamp ever committed, lost or not. */
  highest: number
  rAway: boolean
  /**
   * How often each store has lost something. Calls after a loss are promised more than calls before
   * it.
   */
  lossesOfD: number
  lossesOfR: number
  operations: Operation[]
  /** Writes under way to R, sorted, so that states that differ only in their order are the same. */
  messages: string[]
  identify: Identify | undefined
  left: Faults
}

export type Phase = 'idle' | 'canary' | 'commit' | 'join' | 'again' | '200' | '503' | 'crashed'

export interface Operation {
  phase: Phase
  /** The row that it read, and compares with. */
  seen: string
  /** What it joins; for a login that was answered, its token. */
  row: string
  statement: 'none' | 'sent' | 'late'
  attempts: number
  /** The operations that had been answered when this one was called, as bits. */
  after: number
  /** How often D and R had lost something when it was called. */
  lossesOfD: number
  lossesOfR: number
  whileAway: boolean
  expired: boolean
}

/** An identify between its two reads. */
export interface Identify {
  login: number
  first: 'D' | 'R'
  read: string
  /** The operations that had been answered when it was called, as bits. */
  after: number
}

/** How often each fault may still happen. */
export interface Faults {
  timeout: number
  crash: number
  resend: number
  twice: number
  wipeR: number
  fallBackR: number
  awayR: number
  loseD: number
}

export const NO_FAULTS: Faults = {
  timeout: 0,
  crash: 0,
  resend: 0,
  twice: 0,
  wipeR: 0,
  fallBackR: 0,
  awayR: 0,
  loseD: 0,
}
export const NOBODY = '-'
/** No entry, in a list of entries. */
export const ABSENT = '   '
export const NEVER_LOGGED_IN = '0--'

const IDLE: Operation = {
  phase: 'idle',
  seen: '',
  row: '',
  statement: 'none',
  attempts: 0,
  after: 0,
  lossesOfD: 0,
  lossesOfR: 0,
  whileAway: false,
  expired: false,
}

export function initialState(operations: number, faults: Partial<Faults>): State {
  return {
    D: NEVER_LOGGED_IN,
    R: '',
    pastD: '',
    pastR: '',
    clock: 0,
    highest: 0,
    rAway: false,
    lossesOfD: 0,
    lossesOfR: 0,
    operations: Array.from({ length: operations }, () => IDLE),
    messages: [],
    identify: undefined,
    left: { ...NO_FAULTS, ...faults },
  }
}

export const stampOf = (row: string) => (row === '' ? -1 : Number.parseInt(row.charAt(0), 36))
export const sessionOf = (row: string) => row.charAt(1)
export const expiryOf = (row: string) => row.charAt(2)
export const rowOf = (stamp: number, session: string, expiry: string) =>
  `${stamp.toString(36)}${session}${expiry}`

/** Whether both are the same event: same stamp, same session. */
export const isSame = (one: string, other: string) =>
  one.charAt(0) === other.charAt(0) && one.charAt(1) === other.charAt(1)

export const letterOf = (login: number) => String.fromCharCode(65 + login)
export const loginOf = (letter: string) => letter.charCodeAt(0) - 65

export const hasEnded = ({ phase }: Operation) => phase === '200' || phase === '503' || phase === 'crashed'
export const isRunning = (operation: Operation) => operation.phase !== 'idle' && !hasEnded(operation)

/** The operations that were answered, as bits. A crash is no answer. */
export function answered(state: State): number {
  let bits = 0
  state.operations.forEach(({ phase }, index) => {
    if (phase === '200' || phase === '503') bits |= 1 << index
  })
  return bits
}

const PHASES: Record<Phase, string> = {
  idle: 'i',
  canary: 'c',
  commit: 'd',
  join: 'j',
  again: 'a',
  '200': '2',
  '503': '5',
  crashed: 'x',
}

/** A state as a short text. Two texts are equal exactly if the states are. */
export function keyOf(state: State): string {
  const { left, identify } = state
  let key = `${state.D}${state.R}|${state.pastD}|${state.pastR}|${state.clock}.${state.highest}`
  key += `${state.rAway ? 'w' : ''}${state.lossesOfD}${state.lossesOfR}|`
  key += `${left.timeout}${left.crash}${left.resend}${left.twice}${left.wipeR}${left.fallBackR}${left.awayR}${left.loseD}`
  for (const operation of state.operations) {
    const { phase, seen, row, statement, attempts, after, whileAway, expired } = operation
    key += `|${PHASES[phase]}`
    if (phase === 'idle') continue
    const flags = (whileAway ? 1 : 0) + (expired ? 2 : 0)
    key += `${seen},${row},${statement.charAt(0)}${attempts}${flags}${operation.lossesOfD}${operation.lossesOfR}${after}`
  }
  key += `|${state.messages.join()}`
  if (identify) key += `|${identify.login}${identify.first}${identify.read},${identify.after}`
  return key
}
