import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { createTally } from '../logs/tally.js'

interface Needs {
  /** The maximum number of open connections. */
  max: number
  /**
   * The network that a connection counts for. Undefined for a proxy, which carries the requests of
   * many callers: its connections are never closed to make room.
   */
  networkOf(socket: Socket): string | undefined
  /** Told now and then how many connections were closed for lack of room. */
  log: { warn(message: string): void }
}

interface Network {
  name: string
  sockets: Set<Socket>
}

/** Up to this share of the maximum, a network's busy connections are not closed to make room. */
const SHARE = 1 / 4

/** How many connections of a network are searched for an idle one: bounds the cost of a flood. */
const LOOKS = 100

/**
 * Bounds the connections of a server so that no network keeps others out. Below the maximum every
 * connection is accepted. At the maximum a new connection replaces an idle one of the network that
 * holds the most, or a busy one if that network holds more than its share. New connections of that
 * network itself are closed.
 */
export function shareConnections(server: Server, { max, networkOf, log }: Needs): void {
  const networks = new Map<string, Network>()
  /** Networks by their number of connections: finds the greediest without a search. */
  const ranks: Set<Network>[] = [new Set()]
  let open = 0
  const closed = createTally((counts) => {
    log.warn(`connections were closed, because ${max} are open, the most of one process: ${counts}`)
  })
  server.on('close', closed.end)

  server.on('connection', (socket: Socket) => {
    // Reset before it was accepted: there is no address to count it for.
    if (socket.remoteAddress === undefined) {
      socket.destroy()
      return
    }
    const name = networkOf(socket)
    const network = name === undefined ? undefined : (networks.get(name) ?? { name, sockets: new Set() })
    if (open >= max && !makeRoom(network)) {
      closed.count('new ones')
      socket.destroy()
      return
    }
    open++
    if (network === undefined) {
      socket.once('close', () => open--)
      return
    }
    networks.set(network.name, network)
    network.sockets.add(socket)
    rank(network, network.sockets.size - 1)
    socket.once('close', () => leave(socket, network))
  })

  /** Removes a connection from the counts. A second call changes nothing. */
  function leave(socket: Socket, network: Network): void {
    if (!network.sockets.delete(socket)) return
    open--
    rank(network, network.sockets.size + 1)
    if (network.sockets.size === 0) networks.delete(network.name)
  }

  function rank(network: Network, before: number): void {
    const { size } = network.sockets
    ranks[before]?.delete(network)
    ranks[size] ??= new Set()
    if (size > 0) ranks[size].add(network)
    while (ranks.length > 1 && ranks.at(-1)?.size === 0) ranks.pop()
  }

  function makeRoom(newcomer: Network | undefined): boolean {
    const [greediest] = ranks.at(-1) ?? []
    if (!greediest || (newcomer?.sockets.size ?? 0) >= greediest.sockets.size) return false
    const leaving =
      idleOf(greediest) ?? (greediest.sockets.size > max * SHARE ? firstOf(greediest) : undefined)
    if (!leaving) return false
    // Remove it now: the next connection may arrive before its `close` event.
    leave(leaving, greediest)
    closed.count('of the network with the most')
    leaving.destroy()
    return true
  }
}

/** Moves the busy connections that it meets to the end: the next search starts with others. */
function idleOf({ sockets }: Network): Socket | undefined {
  let looks = 0
  for (const socket of sockets) {
    if (isIdle(socket)) return socket
    if (++looks === LOOKS) return undefined
    sockets.delete(socket)
    sockets.add(socket)
  }
  return undefined
}

/**
 * Whether no byte has arrived yet, or the connection waits for its next request: Node sets a socket
 * timeout only then.
 */
function isIdle({ timeout, bytesRead }: Socket): boolean {
  return bytesRead === 0 || (timeout !== undefined && timeout > 0)
}

function firstOf({ sockets }: Network): Socket | undefined {
  const [first] = sockets
  return first
}
