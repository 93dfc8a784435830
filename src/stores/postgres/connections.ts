import type { Sql } from 'postgres'
import type { Connection } from './connection.js'

/** The client of a place, whatever connection the place has at the moment. */
export type Client = Pick<Sql, 'unsafe'>

export interface Place {
  client: Client
  /** Runs `work` over the connection of this place. */
  ask<T>(work: () => Promise<T>): Promise<T>
  /** Closes the connection if it is idle. The next statement opens another one. */
  dropIdle(): void
  close(): Promise<void>
}

/**
 * A place for one connection, which is opened on demand, and replaced when it is lost or old.
 * Statements of several callers are pipelined.
 */
export function createPlace(open: (onLost: () => void) => Connection): Place {
  let current: Connection | undefined

  return {
    client: { unsafe: (...question) => (current ?? add()).sql.unsafe(...question) },
    ask,
    dropIdle,
    close,
  }

  async function ask<T>(work: () => Promise<T>): Promise<T> {
    if (current?.isExpired()) drop()
    return (current ?? add()).ask(work)
  }

  function dropIdle(): void {
    if (current?.isIdle()) drop()
  }

  function drop(): void {
    void current?.close()
    current = undefined
  }

  function add(): Connection {
    const connection = open(() => {
      if (current === connection) current = undefined
    })
    current = connection
    return connection
  }

  async function close(): Promise<void> {
    await current?.close()
  }
}

interface LenderOptions {
  most: number
  idleMs?: number
}

/** How often connections are closed that have been idle since the last time, in milliseconds. */
const IDLE_MS = 60_000

/**
 * Up to `most` places, made on demand. Each serves one borrower at a time, so that no statement
 * waits behind one that waits for a row lock. After a busy time their connections are closed again,
 * except the one that is used next.
 */
export function createLender<P extends Place>(make: () => P, { most, idleMs = IDLE_MS }: LenderOptions) {
  const places: P[] = []
  /** The place that was used last is at the end, and is used next. */
  const idle: P[] = []
  const waiting: ((place: P) => void)[] = []
  const used = new Set<P>()
  const sweep = setInterval(dropUnused, idleMs).unref()

  return { lend, dropIdle, close }

  /** Runs `work` in an idle place. @throws Error when none becomes idle within the limit */
  async function lend<T>(work: (place: P) => Promise<T>, limitMs: number): Promise<T> {
    const until = performance.now() + limitMs
    const place = await take()
    used.add(place)
    try {
      if (performance.now() > until) throw new Error('no connection was idle in time')
      return await place.ask(() => work(place))
    } finally {
      giveBack(place)
    }
  }

  function take(): P | Promise<P> {
    const free = idle.pop()
    if (free) return free
    if (places.length === most) return new Promise((resolve) => waiting.push(resolve))
    const place = make()
    places.push(place)
    return place
  }

  function giveBack(place: P): void {
    const next = waiting.shift()
    if (next) next(place)
    else idle.push(place)
  }

  function dropUnused(): void {
    for (const place of idle.slice(0, -1)) if (!used.has(place)) place.dropIdle()
    used.clear()
  }

  function dropIdle(): void {
    for (const place of idle) place.dropIdle()
  }

  async function close(): Promise<void> {
    clearInterval(sweep)
    await Promise.all(places.map((place) => place.close()))
  }
}
