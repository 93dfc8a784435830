import type { Server } from 'node:http'
import type { Socket } from 'node:net'

interface Needs {
  /** The most connections that are open at the same time. */
  max: number
  /**
   * The network that a connection counts for. Undefined where it brings the requests of many: it
   * gives way to nobody.
   */
  networkOf(socket: Socket): string | undefined
}

interface Network {
  name: string
  sockets: Set<Socket>
}

/**
 * The part of all connections that a network keeps where others need room and none of its own is
 * idle.
 */
const SHARE = 1 / 4

/**
 * How many connections of a network are looked at for an idle one, so that a flood of newcomers
 * stays cheap.
 */
const LOOKS = 100

/**
 * Bounds the connections of a server so that no network keeps others out. While there is room,
 * everybody connects. Then a newcomer takes the place of an idle connection of the network that
 * holds the most, or of a busy one where that network holds more than its share. Newcomers of that
 * network itself are turned away.
 */
export function shareConnections(server: Server, { max, networkOf }: Needs): void {
  const networks = new Map<string, Network>()
  /** Networks by how many connections they hold: the greediest is found without a search. */
  const ranks: Set<Network>[] = [new Set()]
  let open = 0

  server.on('connection', (socket: Socket) => {
    // Reset before it was accepted: nobody is there, and nobody knows whom it would count for.
    if (socket.remoteAddress === undefined) {
      socket.destroy()
      return
    }
    const name = networkOf(socket)
    const network = name === undefined ? undefined : (networks.get(name) ?? { name, sockets: new Set() })
    if (open >= max && !makeRoom(network)) {
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

  /** Counts a connection out, once. */
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
    // At once and not when it has closed: the next newcomer may come before that.
    leave(leaving, greediest)
    leaving.destroy()
    return true
  }
}

/** Those that were found busy are looked at last the next time. */
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
 * Whether nothing was ever sent on it, or it waits for the next request: only then Node has set a
 * time limit on the socket.
 */
function isIdle({ timeout, bytesRead }: Socket): boolean {
  return bytesRead === 0 || (timeout !== undefined && timeout > 0)
}

function firstOf({ sockets }: Network): Socket | undefined {
  const [first] = sockets
  return first
}
