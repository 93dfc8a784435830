import type { Test } from 'tap'
import {
  type Answer,
  clientInserter,
  MOBILE,
  PASSWORD,
  SECRET,
  send,
  startBackends,
  userInserter,
} from '../helper.js'
import { provisioner } from './provisioner.js'
import { startService } from './service-process.js'

/** Two instances as processes of their own, one user, and the sibling that registers users, who asks either of them. */
export async function startSiblingScene(t: Test) {
  const { databaseUrl, redis, sql } = await startBackends(t)
  const userId = await userInserter(sql)()
  const client = await clientInserter(sql)(['users'])
  const env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    JWT_SECRET: SECRET,
    BCRYPT_COST: '10',
    LOG_LEVEL: 'warn',
    // Logins that lose a race are failures.
    LOGIN_MAX_FAILURES: '100',
  }
  const instances = await Promise.all([startService(t, { env }), startService(t, { env })])
  const urls = instances.map(({ url }) => url) as [string, string]
  const [here, there] = urls.map((url) => provisioner(url, client)) as [Sibling, Sibling]
  return { userId, urls, here, there, login, identify, refused }

  /** Logs in on the first instance. */
  function login(password = PASSWORD, mobile = MOBILE): Promise<Answer> {
    return send(urls[0], 'POST', '/login', { body: { mobile, password } })
  }

  /** What each of the instances says of a token. */
  function identify(token: string): Promise<Answer[]> {
    return Promise.all(urls.map((url) => send(url, 'GET', '/identify', { token })))
  }

  async function refused(t: Test, token: string, error: string): Promise<void> {
    for (const answer of await identify(token)) t.match(answer, { status: 401, body: { error } })
  }
}

type Sibling = ReturnType<typeof provisioner>

export function tokenOf({ status, body }: Answer): string {
  if (status !== 200) throw new Error(`login: ${status} ${body.error}`)
  return body.data.token
}
