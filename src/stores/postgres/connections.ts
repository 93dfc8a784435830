import type { Sql } from 'postgres'
import type { Connection } from './connection.js'

/** The client of a place, whatever connection the place has at the moment. */
export type Client = Pick<Sql, 'unsafe'>

export interface Place {
  client: Client
  /** Runs `work` over the connection of this place. */
  ask<T>(work: () => Promise<T>): Promise<T>
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
    close,
  }

  async function ask<T>(work: () => Promise<T>): Promise<T> {
    if (current?.isExpired()) {
      void current.close()
      current = undefined
    }
    return (current ?? add()).ask(work)
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

/**
 * Up to `most` places, made on demand. Each serves one borrower at a time, so that no statement
 * waits behind one that waits for a row lock.
 */
export function createLender<P extends Place>(make: () => P, most: number) {
  const places: P[] = []
  const idle: P[] = []
  const waiting: ((place: P) => void)[] = []

  return { lend, close }

  /** Runs `work` in an idle place. @throws Error when none becomes idle within the limit */
  async function lend<T>(work: (place: P) => Promise<T>, limitMs: number): Promise<T> {
    const until = performance.now() + limitMs
    const place = await take()
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

  async function close(): Promise<void> {
    await Promise.all(places.map((place) => place.close()))
  }
}
