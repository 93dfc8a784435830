/**
 * What a load client asked for, and the answer. Times in milliseconds of the harness's monotonic
 * clock.
 */
export interface Operation {
  kind: 'login' | 'logout' | 'identify' | 'verify' | 'introspect'
  user: number
  instance: number
  invoked: number
  returned: number
  /**
   * `lost`: no answer came, so the operation may take effect even after the load client gave up.
   */
  outcome: 'ok' | 'refused' | 'unavailable' | 'throttled' | 'lost' | 'unexpected'
  status: number
  error: string | undefined
  /** The session that was begun, ended or asked about. Undefined where a login failed. */
  session: string | undefined
  /** The stamp and the token of a login that was answered 200. */
  stamp: number | undefined
  token: string | undefined
}

/**
 * How long a lost operation may still take effect after its load client gave up, in milliseconds.
 * Generous: more than its own time limit.
 */
export const LOST_LINGERS_MS = 3000

/**
 * When an operation can no longer take effect. An answered one has taken effect by then, or never
 * will.
 */
export function settledAt({ outcome, returned }: Operation): number {
  return outcome === 'lost' ? returned + LOST_LINGERS_MS : returned
}

export function isCheck({ kind }: Operation): boolean {
  return kind === 'identify' || kind === 'verify' || kind === 'introspect'
}

/** Whether an operation may have changed who is logged in. */
export function mayWrite({ kind, outcome }: Operation): boolean {
  return (kind === 'login' || kind === 'logout') && outcome !== 'refused' && outcome !== 'throttled'
}

export function byUser(history: readonly Operation[]): Map<number, Operation[]> {
  const users = new Map<number, Operation[]>()
  for (const operation of history)
    users.set(operation.user, [...(users.get(operation.user) ?? []), operation])
  return users
}

/**
 * S3, S4: answers 200 about a session that had certainly ended. The login or logout that ended it
 * began after the session's own login was answered, and was answered 200 before the question was
 * asked.
 */
export function wrongAcceptances(history: readonly Operation[]): Operation[] {
  return ofOneUser(history, (question, operations) => {
    if (question.outcome !== 'ok') return false
    const login = loginOf(question, operations)
    return operations.some(
      (ending) =>
        ending.outcome === 'ok' &&
        ending.returned < question.invoked &&
        (ending.kind === 'logout'
          ? ending.session === question.session
          : ending.kind === 'login' &&
            ending.session !== question.session &&
            login !== undefined &&
            ending.invoked > login.returned),
    )
  })
}

/**
 * L1: answers 401 about a session that nothing can have ended. Its login was answered 200 before
 * the question was asked. No other login, and no logout of it, was under way between the beginning
 * of its login and the answer.
 */
export function wrongRefusals(history: readonly Operation[]): Operation[] {
  return ofOneUser(history, (question, operations) => {
    if (question.outcome !== 'refused') return false
    const login = loginOf(question, operations)
    if (!login || login.returned > question.invoked) return false
    return !operations.some(
      (other) =>
        other !== login &&
        mayWrite(other) &&
        (other.kind === 'login' || other.session === question.session) &&
        other.invoked < question.returned &&
        settledAt(other) > login.invoked,
    )
  })
}

/**
 * S2: stamps of a user that were used twice, or that did not grow from one login to another that
 * began after its answer.
 */
export function stampDefects(history: readonly Operation[]): string[] {
  const defects: string[] = []
  for (const [user, operations] of byUser(history)) {
    const logins = operations.filter(({ kind, outcome }) => kind === 'login' && outcome === 'ok')
    const stamps = new Set(logins.map(({ stamp }) => stamp))
    if (stamps.size < logins.length) defects.push(`user ${user}: a stamp was used twice`)
    for (const earlier of logins) {
      for (const later of logins) {
        if (later.invoked > earlier.returned && (later.stamp ?? 0) <= (earlier.stamp ?? 0)) {
          defects.push(`user ${user}: stamp ${later.stamp} after ${earlier.stamp}`)
        }
      }
    }
  }
  return defects
}

function ofOneUser(
  history: readonly Operation[],
  isWrong: (question: Operation, operations: readonly Operation[]) => boolean,
): Operation[] {
  return [...byUser(history).values()].flatMap((operations) =>
    operations.filter((operation) => isCheck(operation) && isWrong(operation, operations)),
  )
}

function loginOf(question: Operation, operations: readonly Operation[]): Operation | undefined {
  return operations.find(({ kind, session }) => kind === 'login' && session === question.session)
}
