import { setTimeout as sleep } from 'node:timers/promises'
import { GATEWAY } from '../../faults/clients.js'
import { basic, type Credentials, clientInserter } from '../../helper.js'
import { type Probe, probe } from '../probe.js'

/** How long until a removed service client is refused everywhere, in milliseconds. */
const REMOVED_WITHIN_MS = 5000

export const gatewayProbes: Probe[] = [
  probe('gateways', {}, async ({ world, here, there, user, login, ask, claim }) => {
    const addClient = clientInserter(world.sql)
    const asker = await addClient(['introspect'])
    const [dead, live] = [await login(user(0)), await login(user(0))]

    claim(
      (await submit(here, '/introspect', live, asker)).text.startsWith('{"active":true,'),
      'a live token is inactive',
    )
    claim(
      (await submit(here, '/introspect', dead, asker)).text === '{"active":false}',
      'a dead token is not just inactive',
    )

    const strangers = {
      'a wrong secret': { ...asker, secret: GATEWAY.secret },
      nobody: { ...asker, name: 'nobody' },
    }
    for (const [who, credentials] of Object.entries(strangers)) {
      const { status } = await submit(here, '/introspect', live, credentials)
      claim(status === 401, `${who}: answered ${status}`)
    }
    const forbidden = await submit(here, '/revoke', live, asker)
    claim(forbidden.status === 403, `no permission: answered ${forbidden.status}`)
    claim((await ask('identify', live)).status === 200, 'a session was ended without permission')

    claim((await submit(here, '/revoke', live, GATEWAY)).status === 200, 'a revocation was refused')
    claim((await ask('identify', live, there)).status === 401, 'a revoked session lives')

    await world.sql`delete from service_client where name = ${asker.name}`
    await sleep(REMOVED_WITHIN_MS)
    // The first request makes the instance read the list, which must change the verdict on the
    // second.
    for (const time of ['', ' the second time']) {
      const { status } = await submit(here, '/introspect', live, asker)
      claim(status === 401, `a removed client was answered ${status}${time}`)
    }
  }),
  probe('gateways during an outage', { instances: 1 }, async ({ world, here, user, login, claim }) => {
    const token = await login(user(0))
    await submit(here, '/introspect', token, GATEWAY)
    await world.redis.kill()
    for (const path of ['/introspect', '/revoke']) {
      const { status, text } = await submit(here, path, token, GATEWAY)
      claim(status === 503, `${path} was answered ${status} ${text} during an outage`)
    }
  }),
]

async function submit(url: string, path: string, token: string, client: Credentials) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: basic(client) },
    body: new URLSearchParams({ token }),
  })
  return { status: response.status, text: await response.text() }
}
