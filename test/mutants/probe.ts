import { setTimeout as sleep } from 'node:timers/promises'
import type { User } from '../faults/clients.js'
import { createWorld, type World, type WorldOptions } from '../faults/world.js'
import { claimsOf, PASSWORD } from '../helper.js'

/**
 * A request is given up after this long, in milliseconds: well beyond the longest promised answer.
 */
const GIVES_UP_MS = 4000

/** A small scenario that provokes one situation, which a random history meets only now and then. */
export interface Probe {
  name: string
  /** Runs the probe and returns all problems. A timing problem begins with `L3`, as in the rows. */
  run(cli?: string): Promise<string[]>
}

export interface Reply {
  /** 0 when no answer came. */
  status: number
  error: string | undefined
  headers: Headers
  ms: number
  // biome-ignore lint/suspicious/noExplicitAny: any answer; the fields in use are checked
  body: any
}

export type Question = 'identify' | 'verify' | 'logout'

export type Scene = ReturnType<typeof sceneIn>

/** Makes a probe. Its world has two instances and four users unless `options` say otherwise. */
export function probe(name: string, options: WorldOptions, look: (scene: Scene) => Promise<void>): Probe {
  const run = async (cli?: string) => {
    const world = await createWorld({
      instances: 2,
      users: 4,
      ...options,
      ...(cli === undefined ? {} : { cli }),
    })
    const problems: string[] = []
    try {
      await look(sceneIn(world, problems))
    } finally {
      await world.dispose()
    }
    return problems
  }
  return { name, run }
}

/** The world, and short names for what probes do in it. */
function sceneIn(world: World, problems: string[]) {
  const [here = '', there = ''] = world.instances.map(({ url }) => url)
  return {
    world,
    here,
    there,
    user,
    claim,
    login,
    tryLogin,
    ask,
    accepted,
    refused,
    held,
    row,
    entry,
    meanwhile,
  }

  function user(index: number): User {
    const found = world.users[index]
    if (!found) throw new Error(`there is no user ${index}`)
    return found
  }

  function claim(isSo: boolean, problem: string): void {
    if (!isSo) problems.push(problem)
  }

  function tryLogin({ mobile }: User, url = here, password = PASSWORD): Promise<Reply> {
    return request(url, 'POST', '/login', {}, { mobile, password })
  }

  /**
   * Logs in where nothing prevents it, and returns the token. @throws Error if that fails: the
   * probe cannot go on
   */
  async function login(who: User, url = here): Promise<string> {
    const { status, error, body } = await tryLogin(who, url)
    if (status !== 200) throw new Error(`a login in peace was answered ${status} ${error}`)
    return body.data.token
  }

  function ask(question: Question, token: string, url = here): Promise<Reply> {
    if (question === 'verify') return request(url, 'POST', '/verify', {}, { token })
    const headers = { authorization: `Bearer ${token}` }
    return request(url, question === 'logout' ? 'POST' : 'GET', `/${question}`, headers)
  }

  async function accepted(token: string, when: string, urls = [here, there]): Promise<void> {
    for (const [question, url] of questions(urls)) {
      const { status, error } = await ask(question, token, url)
      claim(status === 200, `${when}: ${question} was answered ${status} ${error}`)
    }
  }

  /**
   * Claims that every question on every instance is answered 401, without the identity of the user.
   */
  async function refused(token: string, when: string, urls = [here, there]): Promise<void> {
    for (const [question, url] of questions(urls)) {
      const { status, headers } = await ask(question, token, url)
      claim(status === 401, `${when}: ${question} was answered ${status}`)
      claim(headers.get('x-user-id') === null, `${when}: ${status} with the identity of the user`)
    }
  }

  /** The user's session state and password hash in the database. */
  async function row({ id }: User) {
    const [found] = await world.sql`
      select session_id, last_login_stamp::float8 as stamp, password from user_login where user_id = ${id}`
    if (!found) throw new Error(`there is no row of user ${id}`)
    return found as unknown as { session_id: string | null; stamp: number | null; password: string }
  }

  async function held({ id }: User): Promise<string | null> {
    return world.redisClient.get(keyOf(id))
  }

  async function entry({ id }: User, value: string): Promise<void> {
    await world.redisClient.set(keyOf(id), value)
  }

  /** The answer to `ask` when the user's row changes between its read and its write. */
  async function meanwhile<T>(
    { id }: User,
    change: Record<string, string | number | null>,
    ask: () => Promise<T>,
  ): Promise<T> {
    let answer: Promise<T> | undefined
    await world.sql.begin(async (sql) => {
      await sql`update user_login set ${sql(change)} where user_id = ${id}`
      // The request reads the old row, then waits for its lock. The change is committed only after
      // that.
      answer = ask()
      const end = performance.now() + 2000
      while (performance.now() < end) {
        const [found] = await world.sql`select count(*)::int as waiting from pg_locks where not granted`
        if (found?.waiting > 0) return
        await sleep(5)
      }
      throw new Error('nobody waited for the row')
    })
    return answer as Promise<T>
  }
}

function questions(urls: string[]): [Question, string][] {
  const asked: Question[] = ['identify', 'verify']
  return urls.flatMap((url) => asked.map((question): [Question, string] => [question, url]))
}

export function keyOf(userId: number): string {
  return `jwt_token:${userId}`
}

/** The entry that the registry should hold for a token. */
export function entryOf(token: string): string {
  const { jti, data } = claimsOf(token)
  return `${data.login_time}.${jti}`
}

export async function request(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: unknown,
): Promise<Reply> {
  const started = performance.now()
  try {
    const response = await fetch(url + path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(GIVES_UP_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const answer: any = await response.json().catch(() => undefined)
    const ms = performance.now() - started
    return { status: response.status, error: answer?.error, headers: response.headers, ms, body: answer }
  } catch (error) {
    const ms = performance.now() - started
    return { status: 0, error: (error as Error).name, headers: new Headers(), ms, body: undefined }
  }
}
