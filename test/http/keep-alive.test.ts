import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { build, startBackends } from '../helper.js'
import { exchange, request } from '../support/raw-http.js'

const ASK = request('GET', '/livez')

t.test('KEEP_ALIVE_SECONDS', async (t) => {
  const backends = await startBackends(t)

  t.test(
    'keeps a connection that is idle for less than it, and closes one that is idle for longer',
    async (t) => {
      const service = await build(t, { backends, env: { KEEP_ALIVE_SECONDS: '2' } })
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1')

      for (let asked = 0; asked < 3; asked++) {
        socket.write(ASK)
        const [answer] = await once(socket, 'data')
        t.match(String(answer), /^HTTP\/1\.1 200 /)
        t.match(String(answer), /\r\nKeep-Alive: timeout=2\r\n/i, 'and clients are told')
        if (asked < 2) await sleep(1500)
      }

      const answered = performance.now()
      await once(socket, 'end')
      const idleMs = performance.now() - answered
      t.ok(idleMs > 1900, `after ${idleMs} ms`)
      t.ok(idleMs < 10_000, `after ${idleMs} ms`)
      socket.destroy()
    },
  )

  t.test('may be 620 s, longer than the 600 s of load balancers', async (t) => {
    const service = await build(t, { backends, env: { KEEP_ALIVE_SECONDS: '620' } })

    const { answers } = await exchange(service.url, ASK, { answers: 1 })

    t.match(answers, [{ status: 200, headers: { 'keep-alive': 'timeout=620' } }])
    t.equal(service.app.server.keepAliveTimeout, 620_000)
  })

  t.test('408 within 5 s on a connection that never sends anything, whatever the setting', async (t) => {
    const service = await build(t, { backends, env: { KEEP_ALIVE_SECONDS: '620' } })

    const { answers, afterMs } = await exchange(service.url, '')

    t.match(answers, [{ status: 408 }])
    t.ok(afterMs < 5000, `after ${afterMs} ms`)
  })
})
