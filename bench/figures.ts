/** A figure that is promised of the service's speed, and what was measured. */
export interface Figure {
  name: string
  /** Whether values must be at least, or at most, `floor`, `must` and `aim`. */
  better: 'higher' | 'lower'
  /**
   * No change may fall behind this. It is far from what was last measured, so that only a slower
   * service gets there.
   */
  floor: number
  must: number
  aim: number
  unit: string
  /** One value per round. Empty if not measured. */
  values: number[]
  /** Why it was not measured. */
  notMeasured?: string
}

const FIGURES = {
  identify: {
    name: 'GET /identify, against the bare route',
    better: 'higher',
    floor: 0.2,
    must: 0.8,
    aim: 0.95,
    unit: '×',
  },
  verify: {
    name: 'POST /verify, against the bare route',
    better: 'higher',
    floor: 0.25,
    must: 0.75,
    aim: 0.9,
    unit: '×',
  },
  introspect: {
    name: 'POST /introspect, against the bare route',
    better: 'higher',
    floor: 0.2,
    must: 0.75,
    aim: 0.9,
    unit: '×',
  },
  flood: {
    name: 'GET /identify p99 during a flood of logins, against quiet',
    better: 'lower',
    // In quiet seconds, p99 varies from 2 to 20 ms. Only an event loop that waits for hashing gets
    // this far.
    floor: 25,
    must: 3,
    aim: 2,
    unit: '×',
  },
  logins: {
    name: 'logins, against bcryptjs alone on as many threads',
    better: 'higher',
    floor: 0.7,
    must: 0.85,
    aim: 0.95,
    unit: '×',
  },
  processes: {
    name: 'two processes, against one',
    better: 'higher',
    floor: 1.2,
    must: 1.6,
    aim: 1.9,
    unit: '×',
  },
  memory: {
    name: 'memory after 100,000 different tokens',
    better: 'lower',
    floor: 250,
    must: 200,
    aim: 120,
    unit: 'MB',
  },
  redis: { name: 'Redis memory per session', better: 'lower', floor: 220, must: 200, aim: 130, unit: 'B' },
  start: {
    name: 'start to listening, external stores',
    better: 'lower',
    floor: 3,
    must: 1.5,
    aim: 0.7,
    unit: 's',
  },
  embeddedFirst: {
    name: 'first embedded start, to its greeting',
    better: 'lower',
    floor: 10,
    must: 3,
    aim: 2,
    unit: 's',
  },
  embeddedLater: {
    name: 'later embedded start, to its greeting',
    better: 'lower',
    floor: 3,
    must: 1,
    aim: 0.7,
    unit: 's',
  },
  embeddedMemory: {
    name: 'embedded process, after its first start',
    better: 'lower',
    floor: 300,
    must: 250,
    aim: 150,
    unit: 'MB',
  },
  scale: {
    name: 'GET /identify with 1,000,000 users, against 1,000',
    better: 'higher',
    floor: 0.7,
    must: 0.9,
    aim: 1,
    unit: '×',
  },
} as const satisfies Record<string, Omit<Figure, 'values' | 'notMeasured'>>

export type FigureName = keyof typeof FIGURES

export function measured(name: FigureName, values: number[]): Figure {
  return { ...FIGURES[name], values }
}

export function notMeasured(name: FigureName, why: string): Figure {
  return { ...FIGURES[name], values: [], notMeasured: why }
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

/** Whether the median of the values reaches `wanted`. */
export function reaches({ values, better }: Figure, wanted: number): boolean {
  return better === 'higher' ? median(values) >= wanted : median(values) <= wanted
}
