import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { basic, type Credentials, claimsOf, PASSWORD } from '../helper.js'
import type { Operation } from './history.js'
import type { Random } from './random.js'

/**
 * A load client gives up after this long, in milliseconds: a little beyond the longest promised
 * answer.
 */
const GIVES_UP_MS = 2500

/** The service client that introspects and revokes. */
export const GATEWAY: Credentials = { name: 'gateway', secret: 'c2VydmljZS1jbGllbnQtb2YtdGhlLWhhcm5lc3MtMDE' }

/** How many load clients work at a time, unless a row sets another number. */
export const CLIENTS = 8

export interface User {
  id: number
  mobile: string
}

export interface Load {
  history: Operation[]
  /** Adds a login made elsewhere to the history, and its token to those that are checked. */
  learn(login: { operation: Operation; token: string | undefined }): void
  /** Makes the load clients open new connections. */
  reconnect(): void
  /** Stops the load clients, each after its current request. */
  stop(): Promise<void>
}

export interface LoadOptions {
  /** Addresses of the instances, read before every request: a row may replace an instance. */
  urls: () => string[]
  users: User[]
  random: Random
  clients?: number
  /**
   * Concurrent logins. More than the machine has cores would only measure how long hashing takes.
   */
  maxLogins?: number
  /** Longest pause of a load client between two requests, in milliseconds. */
  pauseMs?: number
}

/**
 * Starts load clients. Until they are stopped, they log random users in and out and check random
 * tokens of theirs, live and dead, on random instances. The history holds all requests and answers.
 */
export function startLoad({
  urls,
  users,
  random,
  clients = CLIENTS,
  maxLogins = 2,
  pauseMs = 30,
}: LoadOptions): Load {
  const history: Operation[] = []
  const tokens = new Map<number, string[]>(users.map(({ id }) => [id, []]))
  let running = true
  let loggingIn = 0
  const done = Promise.all(Array.from({ length: clients }, () => client()))

  return {
    history,
    learn,
    reconnect: closeConnections,
    stop: async () => {
      running = false
      await done
    },
  }

  async function client(): Promise<void> {
    while (running) {
      await act()
      await sleep(random.integer(0, pauseMs))
    }
  }

  async function act(): Promise<void> {
    const user = random.pick(users)
    const instance = random.integer(0, urls().length - 1)
    const url = urls()[instance] ?? ''
    const known = tokens.get(user.id) ?? []
    if (known.length === 0 || random.chance(0.05)) return logIn(url, instance, user)
    // Mostly the newest token, but the older ones must stay dead.
    const token = random.chance(0.6) ? (known.at(-1) ?? '') : random.pick(known)
    const kind = random.pick(random.chance(0.1) ? ENDINGS : CHECKS)
    history.push(await ask(kind, url, instance, user.id, token))
  }

  async function logIn(url: string, instance: number, user: User): Promise<void> {
    if (loggingIn >= maxLogins) return
    loggingIn++
    learn(await login(url, instance, user))
    loggingIn--
  }

  function learn({ operation, token }: { operation: Operation; token: string | undefined }): void {
    history.push(operation)
    if (token) tokens.get(operation.user)?.push(token)
  }
}

/** One login. `token` is undefined when it failed. */
export async function login(url: string, instance: number, user: User) {
  const body = JSON.stringify({ mobile: user.mobile, password: PASSWORD })
  const answer = await exchange(url, 'POST', '/login', AS_JSON, body)
  const token: string | undefined = answer.status === 200 ? answer.body.data.token : undefined
  const claims = token === undefined ? undefined : claimsOf(token)
  const operation = record('login', user.id, instance, answer, claims?.jti)
  const stamp: number | undefined = claims?.data.login_time
  return { operation: { ...operation, stamp, token }, token }
}

type Question = 'logout' | 'revoke' | 'identify' | 'verify' | 'introspect'

const CHECKS: Question[] = ['identify', 'verify', 'introspect']
const ENDINGS: Question[] = ['logout', 'revoke']

/**
 * One question about a token, or the end of its session. The history calls a revocation a logout.
 */
export async function ask(
  kind: Question,
  url: string,
  instance: number,
  user: number,
  token: string,
): Promise<Operation> {
  const answer = await send(kind, url, token)
  return record(kind === 'revoke' ? 'logout' : kind, user, instance, answer, claimsOf(token).jti)
}

function send(kind: Question, url: string, token: string): Promise<Answer> {
  const authorization = { authorization: `Bearer ${token}` }
  switch (kind) {
    case 'identify':
      return exchange(url, 'GET', '/identify', authorization)
    case 'verify':
      return exchange(url, 'POST', '/verify', AS_JSON, JSON.stringify({ token }))
    case 'logout':
      return exchange(url, 'POST', '/logout', authorization)
    default:
      return exchange(
        url,
        'POST',
        `/${kind}`,
        AS_GATEWAY,
        new URLSearchParams({ token }).toString(),
        oauthFlawOf,
      )
  }
}

const AS_JSON = { 'content-type': 'application/json' }
const AS_GATEWAY = { 'content-type': 'application/x-www-form-urlencoded', authorization: basic(GATEWAY) }

interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: any answer; the fields in use are checked
  body: any
  invoked: number
  returned: number
  /** The code of the error, when no answer came. */
  lostBy: string | undefined
  /** What is wrong with the form of the answer, if anything. */
  flaw: string | undefined
}

function record(
  kind: Operation['kind'],
  user: number,
  instance: number,
  { status, body, invoked, returned, flaw, lostBy }: Answer,
  session: string | undefined,
): Operation {
  const inactive = body?.active === false
  const outcome = flaw ? 'unexpected' : inactive ? 'refused' : (OUTCOMES[status] ?? 'unexpected')
  return {
    kind,
    user,
    instance,
    invoked,
    returned,
    outcome,
    status,
    error: flaw ?? lostBy ?? body?.error,
    session,
    stamp: undefined,
    token: undefined,
  }
}

const OUTCOMES: Record<number, Operation['outcome']> = {
  0: 'lost',
  200: 'ok',
  401: 'refused',
  429: 'throttled',
  503: 'unavailable',
}

let agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

/**
 * Closes the kept-alive connections of the load clients, so that only the service's own descriptors
 * are counted.
 */
export function closeConnections(): void {
  agent.destroy()
  agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
}

/** Opens the load clients' connections to an instance before they need them. */
export async function openConnections(url: string, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => exchange(url, 'GET', '/livez', {})))
}

/** Sends one request; status 0 means that no answer came. */
function exchange(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
  flawIn = flawOf,
): Promise<Answer> {
  const invoked = performance.now()
  return new Promise((resolve) => {
    const settle = (
      status: number,
      received = '',
      responseHeaders: http.IncomingHttpHeaders = {},
      lostBy?: string,
    ) => {
      const parsed = parse(received)
      const flaw = status === 0 ? undefined : flawIn(status, parsed, responseHeaders)
      resolve({ status, body: parsed, invoked, returned: performance.now(), flaw, lostBy })
    }
    const request = http.request(
      url + path,
      {
        method,
        agent,
        headers,
        signal: AbortSignal.timeout(GIVES_UP_MS),
      },
      (response) => {
        let received = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          received += chunk
        })
        response.on('end', () => settle(response.statusCode ?? 0, received, response.headers))
        response.on('error', () => settle(0))
      },
    )
    request.on('error', (error: NodeJS.ErrnoException) => settle(0, '', {}, error.code))
    request.end(body)
  })
}

/** What breaks the contract of every answer: the envelope, and the headers of 401 and 503. */
function flawOf(status: number, body: Answer['body'], headers: http.IncomingHttpHeaders) {
  if (body?.code !== status) return `code ${body?.code} with status ${status}`
  return headerFlawOf(status, headers)
}

/**
 * The same for the OAuth endpoints: an inactive token has no other member, a refusal has an error.
 */
function oauthFlawOf(status: number, body: Answer['body'], headers: http.IncomingHttpHeaders) {
  if (status !== 200 && typeof body?.error !== 'string') return `${status} without an error`
  if (body?.active === false && Object.keys(body).length > 1) return 'inactive, and more'
  return headerFlawOf(status, headers)
}

function headerFlawOf(status: number, headers: http.IncomingHttpHeaders) {
  if (headers['cache-control'] !== 'no-store') return 'may be stored'
  const challenged = headers['www-authenticate'] !== undefined
  if ((status === 401) !== challenged) return `${status} ${challenged ? 'with' : 'without'} a challenge`
  if (status === 503 && headers['retry-after'] !== '1') return '503 without Retry-After: 1'
  return undefined
}

function parse(text: string) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
