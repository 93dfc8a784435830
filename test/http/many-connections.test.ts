import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { environmentOf, startBackends } from '../helper.js'
import { connectFrom, isClosed, isServed } from '../support/connections.js'
import { type ServiceProcess, startService } from '../support/service-process.js'

/** Addresses of this machine: loopback has all of 127.0.0.0/8. */
const GREEDY = '127.0.0.1'
const MODEST = '127.0.0.2'

t.test('10,000 idle connections of one address', async (t) => {
  const env = environmentOf(await startBackends(t))

  t.test('give way to 100 newcomers from another address', async (t) => {
    const service = await startService(t, { env })
    const idle = await occupy(t, service)

    const newcomers = Array.from({ length: 100 }, () => connectFrom(MODEST, service.port))

    t.strictSame(await Promise.all(newcomers.map(isServed)), Array(100).fill(true))
    t.ok(idle.length > 9_900)
    t.ok(idle.filter(isClosed).length <= 100, 'and each newcomer costs them no more than one')
    t.notOk(await isServed(connectFrom(GREEDY, service.port)), 'of their own there are enough')
    for (const socket of newcomers) socket.destroy()
  })

  t.test('all stay open where the address is that of a proxy', async (t) => {
    const service = await startService(t, { env: { ...env, TRUST_PROXY: GREEDY } })
    const idle = await occupy(t, service)

    t.notOk(await isServed(connectFrom(MODEST, service.port)))

    t.ok(idle.length > 9_900)
    t.equal(idle.filter(isClosed).length, 0)
  })
})

/** Opens as many connections as the service takes, each idle after a request. */
async function occupy(t: Test, { port }: ServiceProcess): Promise<Socket[]> {
  const sockets: Socket[] = []
  t.teardown(() => {
    // A reset skips TIME_WAIT, in which the system would keep each port for a minute.
    for (const socket of sockets) socket.resetAndDestroy()
  })
  for (;;) {
    const batch = Array.from({ length: 100 }, () => connectFrom(GREEDY, port))
    sockets.push(...batch)
    const served = await Promise.all(batch.map(isServed))
    if (served.includes(false)) return sockets.filter((socket) => !isClosed(socket))
  }
}
