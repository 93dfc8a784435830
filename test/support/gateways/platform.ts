import assert from 'node:assert'
import type { Test } from 'tap'
import { startProxy } from '../../faults/proxy.js'
import {
  type Backends,
  claimsOf,
  environmentOf,
  logIn,
  MOBILE,
  send,
  startBackends,
  userInserter,
} from '../../helper.js'
import { until } from '../servers.js'
import { startService, temporaryDirectory } from '../service-process.js'
import { createSigner } from '../tokens/signer.js'
import { startApp } from './app.js'

export type Platform = Awaited<ReturnType<typeof startPlatform>>

/** The surroundings of a gateway: the service on real stores, an app that records, and users. */
export async function startPlatform(t: Test) {
  const backends = await startBackends(t)
  const actionLog = `${temporaryDirectory()}/actions.log`
  const service = await startService(t, { env: { ...settings(backends), USER_ACTION_LOG: actionLog } })
  // A proxy between gateway and service, which counts connections.
  const line = await startProxy(service.port)
  const app = await startApp(t)
  t.teardown(() => line.close())
  const addUser = userInserter(backends.sql)
  const userId = await addUser()
  await warmUp()

  return {
    backends,
    service,
    line,
    app,
    actionLog,
    userId,
    addUser,
    logIn: logInHere,
    logOut,
    identify,
    tokens,
  }

  /** Logs in at the service itself and gives the token. */
  function logInHere(mobile = MOBILE): Promise<string> {
    return logIn(service.url, { mobile })
  }

  async function logOut(token: string): Promise<void> {
    const { status } = await send(service.url, 'POST', '/logout', { token })
    if (status !== 200) throw new Error(`logout: ${status}`)
  }

  /** The answer of the service itself to a request with that header. */
  function identify(authorization?: string) {
    return send(service.url, 'GET', '/identify', { headers: authorization ? { authorization } : {} })
  }

  /** The first answers of a service are its slowest: on a busy machine they may be 503. */
  async function warmUp(): Promise<void> {
    const token = await logInHere()
    for (let answered = 0; answered < 20; answered++) {
      await until(async () => assert.equal((await identify(`Bearer ${token}`)).status, 200))
    }
  }

  /** One live token, and one of each kind that is refused. */
  async function tokens() {
    const superseded = await logInHere()
    const ended = await logInHere()
    await logOut(ended)
    const live = await logInHere()
    const twoDaysAgo = Date.now() - 2 * 86_400_000
    const expired = (await createSigner(twoDaysAgo))(userId, claimsOf(live).jti)
    return { live, superseded, ended, expired, forged: `${live.slice(0, -8)}AAAAAAAA` }
  }
}

function settings(backends: Backends): NodeJS.ProcessEnv {
  return { ...environmentOf(backends), TRUST_PROXY: '127.0.0.1' }
}
