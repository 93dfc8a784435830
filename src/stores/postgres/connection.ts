import { connect, type Socket } from 'node:net'
import postgres from 'postgres'
import { SPEAKS_NO_TLS } from '../failures.js'
import { keepsStatements, type PostgresAddress, targetOf } from './address.js'

export interface ConnectionSettings {
  address: PostgresAddress
  /** Session parameters. Those in the URL override them. */
  session: Record<string, string>
  /** How long connecting may take, in milliseconds. */
  connectMs: number
  /** A connection that owes an answer is lost after this much silence, in milliseconds. */
  silenceMs?: number
  /** How long the connection should be used, in milliseconds. */
  lifetimeMs?: number
  onLost?: () => void
  /** Called after `onLost` when the reason was silence: other connections may be dead, too. */
  onSilence?: () => void
}

export type Connection = ReturnType<typeof openConnection>

/**
 * TCP keepalive: after this many milliseconds without traffic the kernel sends a probe, and gives
 * up after ten more, a second apart. A firewall does not forget the connection meanwhile.
 */
const KEPT_ALIVE = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 5000 }

/** PostgreSQL's answer `N` to an SSLRequest: it does not speak TLS. */
const NO_TLS = 78

/**
 * One connection to PostgreSQL, opened by the first statement. When it is lost, pending statements
 * fail, and it takes no new ones.
 *
 * It is an instance of the driver with exactly one socket, for two reasons. A pool of the driver
 * leaks an entry per statement (bench/postgres-pool-leak.mjs). And the driver reconnects by itself:
 * without pause or end if a server accepts and hangs up, and with the statement of the lost
 * connection still marked as the next to be answered.
 */
export function openConnection({
  address,
  session,
  connectMs,
  silenceMs,
  lifetimeMs = Number.POSITIVE_INFINITY,
  onLost = () => undefined,
  onSilence = () => undefined,
}: ConnectionSettings) {
  const target = targetOf(address)
  const expiresAt = performance.now() + lifetimeMs
  let socket: Socket | undefined
  let speaksNoTls = false
  let isLost = false
  let unanswered = 0
  let answers = 0
  let silence: NodeJS.Timeout | undefined
  let onQuiet: (() => void) | undefined

  const options = {
    ...target,
    connection: { ...session, ...target.connection },
    max: 1,
    prepare: keepsStatements(address),
    // Otherwise the driver queries the array types at every connect.
    fetch_types: false,
    connect_timeout: connectMs / 1000,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => undefined,
    onclose: lose,
    // drizzle parses dates itself.
    types: { date: { to: 1184, from: [1082, 1114, 1184], serialize: asItIs, parse: asItIs } },
    // Missing in the driver's types.
    socket: openSocket,
  }
  const sql = postgres(options)

  return { sql, ask, isExpired, isIdle, close }

  /**
   * Runs `work` over this connection.
   *
   * @throws RefusedByPostgres, or the error that ended the connection
   */
  async function ask<T>(work: () => Promise<T>): Promise<T> {
    if (unanswered++ === 0 && silenceMs !== undefined) silence = setTimeout(suspect, silenceMs)
    try {
      return await work()
    } catch (error) {
      throw explain(rootOf(error as Error))
    } finally {
      answers++
      if (--unanswered > 0) silence?.refresh()
      else {
        clearTimeout(silence)
        onQuiet?.()
      }
    }
  }

  function isExpired(): boolean {
    return performance.now() > expiresAt
  }

  function isIdle(): boolean {
    return unanswered === 0
  }

  /** Loses the connection unless an answer has come while the event loop was late. */
  function suspect(): void {
    const before = answers
    // After the poll phase, which reads the sockets.
    setImmediate(() => {
      if (answers > before) return
      lose()
      onSilence()
    })
  }

  /** Closes the connection once everything is answered. */
  async function close(): Promise<void> {
    if (unanswered > 0) {
      await new Promise<void>((resolve) => {
        onQuiet = resolve
      })
    }
    await hangUp()
  }

  function lose(): void {
    if (isLost) return
    isLost = true
    onLost()
    void hangUp()
  }

  async function hangUp(): Promise<void> {
    await sql.end({ timeout: 0 })
    // A hung server never closes its side.
    socket?.destroy()
  }

  async function openSocket(): Promise<Socket> {
    if (socket) {
      lose()
      throw Object.assign(new Error('the connection was closed'), { code: 'CONNECTION_CLOSED' })
    }
    const { path, host = '', port = 0, ssl } = target
    socket = path === undefined ? connect({ host, port, ...KEPT_ALIVE }) : connect({ path })
    // The driver starts the TLS handshake whatever the answer is.
    if (ssl) {
      socket.once('data', ([answer]) => {
        speaksNoTls = answer === NO_TLS
      })
    }
    // A connect() that fails at once (EMFILE, ENETUNREACH) emits its error in the next tick. The
    // driver starts to listen only after that.
    socket.on('error', () => undefined)
    await new Promise<void>((resolve) => process.nextTick(resolve))
    if (socket.errored) throw socket.errored
    return socket
  }

  /** Replaces an error by its cause where the driver reports only a consequence. */
  function explain(error: Error): Error {
    if (speaksNoTls) return new Error(SPEAKS_NO_TLS)
    if (!(error instanceof postgres.PostgresError)) return error
    const isWithoutPassword = error.code === '28P01' && !(sql.options.pass as unknown)
    return new RefusedByPostgres(error.code, isWithoutPassword ? NO_PASSWORD : error.message)
  }
}

const asItIs = (text: string) => text

const NO_PASSWORD = 'a password is asked for, and none is given'

/**
 * PostgreSQL refuses a statement or a session. Unlike the driver's error, this one carries neither
 * the detail, which quotes rows, nor the parameters.
 */
export class RefusedByPostgres extends Error {
  constructor(
    /** SQLSTATE. */
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/** drizzle wraps errors in one whose message contains the parameters. */
function rootOf(error: Error): Error {
  return error.cause instanceof Error ? rootOf(error.cause) : error
}
