import assert from 'node:assert'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import { shareConnections } from '../../src/http/connections.js'
import { connectFrom, hasClosed, isClosed, isServed, isTurnedAway } from '../support/connections.js'
import { request } from '../support/raw-http.js'
import { until } from '../support/servers.js'

/** Addresses of this machine: loopback has all of 127.0.0.0/8. */
const GREEDY = '127.0.0.1'
const MODEST = '127.0.0.2'
const OTHER = '127.0.0.3'
const PROXY = '127.0.0.9'

const MAX = 8

const OPEN_AND_RESET = `
  const [localAddress, port] = process.argv.slice(1)
  for (let each = 0; each < 3; each++) {
    const socket = require('node:net').connect({ host: '127.0.0.1', port, localAddress }, () => socket.resetAndDestroy())
  }`

t.test('a server with room for eight connections', async (t) => {
  t.test('gives one network all places, and turns away its next connection', async (t) => {
    const { open } = await serve(t)
    const sockets = await openAll(Array(MAX).fill(GREEDY), open)

    t.ok(await isTurnedAway(await open(GREEDY)))

    t.strictSame(sockets.filter(isClosed), [])
  })

  t.test('logs in one line how many connections it has closed for lack of room', async (t) => {
    const { open, lines } = await serve(t)
    await openAll(Array(MAX).fill(GREEDY), open)

    for (let each = 0; each < 3; each++) t.ok(await isTurnedAway(await open(GREEDY)))
    await open(MODEST)

    await until(() => assert.equal(lines.length, 1))
    t.equal(
      lines[0],
      'connections were closed, because 8 are open, the most of one process: ' +
        'new ones (3), of the network with the most (1)',
    )
  })

  t.test('serves any network once a connection has closed', async (t) => {
    const { open, openIdle, leave } = await serve(t)
    const [first, second] = await openAll(Array(MAX).fill(GREEDY), openIdle)
    await leave(first)
    await leave(second)

    for (const address of [GREEDY, MODEST]) t.ok(await isServed(await open(address)), address)
  })

  t.test('closes an idle connection of the network that holds the most, for a newcomer', async (t) => {
    const { open, openIdle, openBusy } = await serve(t)
    const modest = await openAll([MODEST, MODEST], openIdle)
    const busy = await openBusy(GREEDY)
    const idle = await openAll(Array(5).fill(GREEDY), openIdle)

    t.ok(await isServed(await open(OTHER)))

    await hasClosed(idle[0])
    t.strictSame([...modest, busy.socket, ...idle.slice(1)].filter(isClosed), [])
    t.match(await busy.answer(), /^HTTP\/1\.1 200 /)
  })

  t.test('closes connections that never sent anything, of the network that holds the most', async (t) => {
    const { open } = await serve(t)
    const silent = await openAll(Array(MAX).fill(GREEDY), open)

    for (const address of [MODEST, MODEST, OTHER]) t.ok(await isServed(await open(address)), address)

    for (const socket of silent.slice(0, 3)) await hasClosed(socket)
    t.strictSame(silent.slice(3).filter(isClosed), [])
  })

  t.test('closes the oldest idle connection where each network holds one', async (t) => {
    const { open, openIdle } = await serve(t)
    const addresses = Array.from({ length: MAX }, (_, index) => `127.0.1.${index + 1}`)
    const sockets = await openAll(addresses, openIdle)

    t.ok(await isServed(await open(GREEDY)))

    await hasClosed(sockets[0])
  })

  t.test('turns away a network that already holds as many connections as any other', async (t) => {
    const { open, openIdle } = await serve(t)
    await openAll(Array(MAX).fill(GREEDY), openIdle)
    await openAll(Array(4).fill(MODEST), openIdle)

    t.ok(await isTurnedAway(await open(MODEST)))
  })

  t.test('closes a busy connection of a network above its share where none is idle', async (t) => {
    const { open, openBusy } = await serve(t)
    const busy = await openAll(Array(MAX).fill(GREEDY), openBusy)

    t.ok(await isServed(await open(MODEST)))

    t.equal(busy.filter(({ socket }) => isClosed(socket)).length, 1)
  })

  t.test('turns the newcomer away where all are busy and no network is above its share', async (t) => {
    const { open, openBusy } = await serve(t)
    const addresses = [GREEDY, GREEDY, MODEST, MODEST, OTHER, OTHER, '127.0.0.4', '127.0.0.4']
    const busy = await openAll(addresses, openBusy)

    t.ok(await isTurnedAway(await open('127.0.0.5')))

    t.strictSame(
      busy.filter(({ socket }) => isClosed(socket)),
      [],
    )
  })

  t.test('closes nothing for connections that were reset before they were accepted', async (t) => {
    const { openIdle, openAndReset } = await serve(t)
    const idle = await openAll(Array(MAX).fill(GREEDY), openIdle)

    t.ok(await openAndReset(GREEDY), 'the server does not know whose connections these were')

    t.strictSame(await Promise.all(idle.map(isServed)), Array(MAX).fill(true))
  })

  t.test('never closes a connection of a proxy, and does not count them as one network', async (t) => {
    const { open, openIdle } = await serve(t)
    const carried = await openAll(Array(MAX - 1).fill(PROXY), openIdle)
    const own = await openIdle(GREEDY)

    t.ok(await isServed(await open(PROXY)), 'a proxy gets the place of anybody else')
    t.ok(await isTurnedAway(await open(MODEST)), 'and then there is none')

    await hasClosed(own)
    t.strictSame(carried.filter(isClosed), [])
  })
})

/**
 * A server with room for few connections, which answers `/later` only on demand, and functions that
 * open connections to it.
 */
async function serve(t: Test) {
  const waiting = new Map<number | undefined, ServerResponse>()
  const farEnds = new Map<Socket | undefined, Socket>()
  const lines: string[] = []
  const server = createServer((request, response) => {
    if (request.url === '/later') waiting.set(request.socket.remotePort, response)
    else response.end('here')
  })
  shareConnections(server, {
    max: MAX,
    networkOf: ({ remoteAddress }) => (remoteAddress === PROXY ? undefined : remoteAddress),
    log: { warn: (line) => void lines.push(line) },
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { open, openIdle, openBusy, openAndReset, leave, lines }

  /** A connection that the server has accepted and on which nothing was sent. */
  async function open(localAddress: string): Promise<Socket> {
    const accepted = once(server, 'connection')
    const socket = connectFrom(localAddress, port)
    const [farEnd] = await accepted
    farEnds.set(socket, farEnd)
    return socket
  }

  /**
   * Opens connections that are reset before the server accepts them: another program does so while
   * this event loop is blocked. Resolves to whether none of them had an address any more.
   */
  async function openAndReset(localAddress: string): Promise<boolean> {
    const accepted: Socket[] = []
    server.on('connection', (socket: Socket) => accepted.push(socket))
    execFileSync(process.execPath, ['-e', OPEN_AND_RESET, localAddress, String(port)])
    await until(() => assert.equal(accepted.length, 3))
    return accepted.every(({ remoteAddress }) => remoteAddress === undefined)
  }

  /** Closes a connection and waits until the server knows. */
  async function leave(socket: Socket | undefined): Promise<void> {
    socket?.destroy()
    await hasClosed(farEnds.get(socket))
  }

  async function openIdle(localAddress: string): Promise<Socket> {
    const socket = await open(localAddress)
    socket.write(request('GET', '/'))
    await once(socket, 'data')
    return socket
  }

  /** A connection with a request in flight, and a function that lets the server answer it. */
  async function openBusy(localAddress: string) {
    const socket = await open(localAddress)
    socket.write(request('GET', '/later'))
    await once(server, 'request')
    return { socket, answer }

    async function answer(): Promise<string> {
      waiting.get(socket.localPort)?.end()
      const [received] = await once(socket, 'data')
      return String(received)
    }
  }
}

/** Opens one after the other, because the order of arrival matters. */
async function openAll<T>(addresses: string[], open: (address: string) => Promise<T>): Promise<T[]> {
  const opened: T[] = []
  for (const address of addresses) opened.push(await open(address))
  return opened
}
