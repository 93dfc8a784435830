import type pg from 'pg'

/** What the driver knows and its types leave out: the prepared statements that a connection already has, by name. */
interface Connection extends pg.Connection {
  parsedStatements: Partial<Record<string, string>>
}

/**
 * A statement of which only the first value is wanted, as the text that PostgreSQL sends. The driver's own query has the columns
 * described each time, and makes objects of them: with that an answer takes half as much again of this process (60 µs instead
 * of 37, for 31 users).
 *
 * `await pool.query(question)` gives it back, with its `value`.
 */
export class FirstValue implements pg.Submittable {
  /** Null where there is none. */
  value: string | null = null
  /** Set by the driver, where nobody else has. */
  callback?: (error: Error | null, question?: FirstValue) => void

  constructor(
    /** Under which it is kept prepared; empty where a connection cannot keep it. */
    public name: string,
    readonly text: string,
    readonly values: string[],
  ) {}

  submit(connection: pg.Connection): void {
    const { stream, parsedStatements } = connection as Connection
    const { name, text, values } = this
    stream.cork()
    if (!(name in parsedStatements)) connection.parse({ name, text, types: [] }, true)
    connection.bind({ statement: name, values }, true)
    connection.execute(null, true)
    connection.sync()
    stream.uncork()
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.value = fields[0] ?? null
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback?.(null, this)
  }

  handleError(error: Error): void {
    this.callback?.(error)
  }
}
