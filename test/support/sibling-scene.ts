import type { Test } from 'tap'
import {
  type Answer,
  clientInserter,
  environmentOf,
  logIn,
  MOBILE,
  PASSWORD,
  send,
  startBackends,
  userInserter,
} from '../helper.js'
import { provisioner } from './provisioner.js'
import { startService } from './service-process.js'

/** Two instances in two processes, one user, and the sibling service that registers users. */
export async function startSiblingScene(t: Test) {
  const backends = await startBackends(t)
  const userId = await userInserter(backends.sql)()
  const client = await clientInserter(backends.sql)(['users'])
  const env = {
    ...environmentOf(backends),
    LOG_LEVEL: 'warn',
    // Logins that lose a race count as failures.
    LOGIN_MAX_FAILURES: '100',
  }
  const instances = await Promise.all([startService(t, { env }), startService(t, { env })])
  const urls = instances.map(({ url }) => url) as [string, string]
  const [here, there] = urls.map((url) => patient(provisioner(url, client))) as [Patient, Patient]
  return { userId, here, there, tryLogin, login, identify, refused }

  /** Tries to log in on the first instance. */
  function tryLogin(password = PASSWORD, mobile = MOBILE): Promise<Answer> {
    return send(urls[0], 'POST', '/login', { body: { mobile, password } })
  }

  /** Logs in on the first instance, and resolves to the token. */
  function login(password = PASSWORD, mobile = MOBILE): Promise<string> {
    return logIn(urls[0], { mobile, password })
  }

  /** The answer of each instance to a token. */
  function identify(token: string): Promise<Answer[]> {
    return Promise.all(urls.map((url) => patiently(() => send(url, 'GET', '/identify', { token }))))
  }

  async function refused(t: Test, token: string, error: string): Promise<void> {
    for (const answer of await identify(token)) t.match(answer, { status: 401, body: { error } })
  }
}

type Patient = ReturnType<typeof patient>

/** Calls that are repeated after a 503, since repeating each of them is harmless. */
function patient(sibling: ReturnType<typeof provisioner>) {
  return {
    add: (user: { mobile: string; password: string }) => patiently(() => sibling.add(user)),
    find: (id: number) => patiently(() => sibling.find(id)),
    setStatus: (id: number, status: string) => patiently(() => sibling.setStatus(id, status)),
    setPassword: (id: number, password: string) => patiently(() => sibling.setPassword(id, password)),
    endSession: (id: number) => patiently(() => sibling.endSession(id)),
  }
}

/** Repeats a request that is answered 503, up to ten times: a busy machine may not hash in time. */
export async function patiently(ask: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await ask()
    if (answer.status !== 503 || attempt === 10) return answer
  }
}
