import type { Connection } from './connection.js'

/** Opens a connection, which calls `onLost` when it is lost. */
type Open<C extends Connection> = (onLost: () => void) => C

/**
 * Up to `most` connections, opened on demand. Each serves one borrower at a time, so that no
 * statement waits behind one that waits for a row lock.
 */
export function createConnections<C extends Connection>(open: Open<C>, most: number) {
  const all = new Set<C>()
  const idle = new Set<C>()
  const waiting: (() => void)[] = []

  return { lend, close }

  /** Runs `work` over an idle connection. @throws Error when none becomes idle within the limit */
  async function lend<T>(work: (connection: C) => Promise<T>, limitMs: number): Promise<T> {
    const until = performance.now() + limitMs
    const connection = await take()
    try {
      if (performance.now() > until) throw new Error('there was no idle connection in time')
      return await connection.ask(() => work(connection))
    } finally {
      if (all.has(connection)) idle.add(connection)
      waiting.shift()?.()
    }
  }

  async function take(): Promise<C> {
    for (const connection of idle) {
      idle.delete(connection)
      if (!connection.isExpired()) return connection
      all.delete(connection)
      void connection.close()
    }
    if (all.size < most) return add()
    await new Promise<void>((resolve) => waiting.push(resolve))
    return take()
  }

  function add(): C {
    const connection = open(() => {
      all.delete(connection)
      idle.delete(connection)
    })
    all.add(connection)
    return connection
  }

  async function close(): Promise<void> {
    await Promise.all(Array.from(all, (connection) => connection.close()))
  }
}

/**
 * One connection for all borrowers, pipelined: a statement is sent before earlier ones are
 * answered.
 */
export function createSharedConnection(open: Open<Connection>) {
  let current: Connection | undefined

  return { ask, close }

  async function ask<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    if (current?.isExpired()) {
      void current.close()
      current = undefined
    }
    const connection = current ?? add()
    return connection.ask(() => work(connection))
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
