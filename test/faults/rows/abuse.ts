import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { endWithThisProcess } from '../../support/servers.js'
import { CLIENTS, openConnections } from '../clients.js'
import type { Round } from '../round.js'
import { fault, type Scenario } from '../scenario.js'

/** How long a slow request may last, in milliseconds. */
const SLOW_LIMIT_MS = 6000

/**
 * Faults that callers cause: on purpose, by their number, or by broken HTTP. The load clients go on
 * working.
 */
export const abuseRows: Scenario[] = [
  counted(29, 'slow headers and slow bodies on 1,000 connections', async ({ world, problems }) => {
    const target = portOf(world.instances[0]?.url)
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, index) =>
        dripFeed(target, index % 2 === 0 ? 'GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ' : SLOW_BODY),
      ),
    )
    const late = answers.filter(({ ms }) => ms > SLOW_LIMIT_MS)
    if (late.length > 0)
      problems.push(`${late.length} slow requests were still open after ${SLOW_LIMIT_MS} ms`)
    return answers.filter(({ received }) => received.startsWith('HTTP/1.1 408 ')).length
  }),

  counted(30, 'huge headers, addresses and bodies', async ({ world, problems }) => {
    const target = portOf(world.instances[0]?.url)
    const refused: string[] = []
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(HUGE.map((bytes) => exchange(target, bytes)))
      refused.push(...answers.map((received) => received.slice(9, 12)))
    }
    const others = refused.filter((status) => status !== '413' && status !== '431')
    if (others.length > 0) problems.push(`a huge request was answered ${others[0] || 'by nothing'}`)
    return refused.length - others.length
  }),

  counted(31, 'requests with two readings of their length', async ({ world, problems }) => {
    const target = portOf(world.instances[0]?.url)
    const answers = await Promise.all(SMUGGLED.map((bytes) => exchange(target, bytes)))
    for (const [index, received] of answers.entries()) {
      const statuses = [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
      if (statuses.join() !== '400')
        problems.push(`smuggled request ${index} was answered ${statuses.join() || 'by nothing'}`)
    }
    return answers.length
  }),

  counted(32, 'a flood of 12,000 connections', async ({ world, problems }) => {
    const instance = world.instances[0]
    const target = portOf(instance?.url)
    // New connections are refused during a flood. The load clients are served because they are
    // connected.
    await openConnections(instance?.url ?? '', CLIENTS)
    const flood = endWithThisProcess(spawn(process.execPath, [FLOOD, String(target)]))
    const [refused] = (await once(flood.stdout as Readable, 'data')) as [Buffer]
    const { descriptors = 0 } = instance?.usage() ?? {}
    if (descriptors > 11_000) problems.push(`${descriptors} descriptors are open`)
    flood.kill()
    return Number(String(refused))
  }),
]

const FLOOD = fileURLToPath(new URL('../connection-flood.mjs', import.meta.url))

interface Abuse extends Round {
  problems: string[]
}

/** A row that does all harm within `inject`, and counts its own requests. */
function counted(number: number, name: string, harm: (abuse: Abuse) => Promise<number>): Scenario {
  let count = 0
  const problems: string[] = []
  return fault({
    number,
    name,
    lastsMs: 0,
    inject: async (round) => {
      problems.length = 0
      count = await harm({ ...round, problems })
    },
    touched: () => count,
    also: ({ load }) => {
      const refused = load.history.filter(({ outcome }) => outcome === 'unavailable' || outcome === 'lost')
      const others =
        refused.length > 0 ? [`${refused.length} requests of the other clients were not served`] : []
      return [...problems, ...others]
    },
  })
}

const SLOW_BODY =
  'POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{'

const HUGE = [
  `GET /livez HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(1 << 20)}\r\n\r\n`,
  `GET /${'x'.repeat(1 << 20)} HTTP/1.1\r\nhost: x\r\n\r\n`,
  `GET /livez HTTP/1.1\r\nhost: x\r\n${'x: y\r\n'.repeat(10_000)}\r\n`,
  `POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000000\r\n\r\n${'x'.repeat(1 << 20)}`,
]

const NEXT = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'
const POST = 'POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
const SMUGGLED = [
  `${POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${NEXT}`,
  `${POST}content-length: 4\r\ncontent-length: 5\r\n\r\nabcde${NEXT}`,
  `${POST}transfer-encoding: chunked\r\n\r\nzz\r\n${NEXT}`,
  `${POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${NEXT}`,
  `${POST}content-length: +4\r\n\r\nabcd${NEXT}`,
  `${POST}content-length : 4\r\n\r\nabcd${NEXT}`,
  `GET /livez HTTP/1.1\nhost: x\n\n${NEXT}`,
]

function portOf(url = 'http://127.0.0.1:0'): number {
  return Number(new URL(url).port)
}

/** Sends everything at once. Returns what came until the service closed the connection. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setTimeout(SLOW_LIMIT_MS, () => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(received))
  })
}

/** Sends a beginning, then a byte every 300 ms, until the service closes the connection. */
function dripFeed(port: number, beginning: string): Promise<{ received: string; ms: number }> {
  return new Promise((resolve) => {
    const started = performance.now()
    let received = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(beginning))
    const drip = setInterval(() => socket.write('x'), 300)
    socket.setTimeout(2 * SLOW_LIMIT_MS, () => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(drip)
      resolve({ received, ms: performance.now() - started })
    })
  })
}
