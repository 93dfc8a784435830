import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Slug } from '../../src/refusals/refusal.js'
import { type Answer, build, type CallOptions, claimsOf } from '../helper.js'
import { type About, type Asker, exampleRequest } from './example-requests.js'
import type { Operation } from './openapi.js'
import { patiently } from './patience.js'

/** The password that the document shows, and its bcrypt hash at cost 10. */
const SHOWN_PASSWORD = 'as printed at the first start'
const SHOWN_HASH = '$2b$10$eU//N7LI9ADfW6g4ofkJ8OtYNaoRB2Fx/yHIgf56tKac23fF.prDq'

/** Wrong passwords after which the service throttles. */
const FAILURES = 3

/** Refusals of what is no request of an operation. */
type OfNoOperation = 'request_timeout' | 'headers_too_large' | 'method_not_allowed'

/** Refusals that an instance gives to every request, or to none. */
type OfAnInstance = 'internal' | 'temporarily_unavailable'

export type Cause = Exclude<Slug, OfNoOperation | OfAnInstance>

/** Users who send what the document shows, and a cause for each refusal. */
export async function createCast(t: Test) {
  const service = await build(t, { env: { LOGIN_MAX_FAILURES: String(FAILURES) } })
  const client = await service.addClient(['introspect', 'revoke', 'users'])
  const specialists = [await service.addClient(['introspect']), await service.addClient(['revoke'])]
  let people = 0
  const anybody = await somebody()
  const dead = await deadTokens()

  // A slug that is missing here does not compile.
  const causes: Record<Cause, (operation: Operation) => Promise<Answer>> = {
    invalid_request: (operation) =>
      ask(operation, anybody, operation.requestBody ? { changes: { body: '' } } : { about: { userId: 0 } }),
    payload_too_large: (operation) => ask(operation, anybody, { changes: { body: 'x'.repeat(5000) } }),
    unsupported_media_type: (operation) =>
      ask(operation, anybody, { changes: { headers: { 'content-type': 'text/plain' } } }),
    token_missing: (operation) => ask(operation, {}),
    token_invalid: (operation) => ask(operation, { token: 'x.y.z' }),
    token_expired: (operation) => ask(operation, { token: dead.expired }),
    session_superseded: (operation) => ask(operation, { token: dead.superseded }),
    session_ended: (operation) => ask(operation, { token: dead.ended }),
    user_disabled: (operation) => ask(operation, { token: dead.disabled }),
    invalid_credentials: async (operation) => ask(operation, await somebodyElse()),
    too_many_attempts: async (operation) => {
      const isOfClients = operation.security?.some((scheme) => 'client' in scheme)
      const guessed = isOfClients ? { client: { ...client, secret: 'guessed' } } : await somebodyElse()
      const failures = isOfClients ? 10 * FAILURES : FAILURES
      for (let failed = 0; failed < failures; failed++) await ask(operation, guessed)
      return ask(operation, guessed)
    },
    mobile_taken: (operation) => ask(operation, anybody),
    not_found: (operation) => ask(operation, anybody, { about: { userId: anybody.userId + 1_000_000 } }),
    invalid_client: (operation) => ask(operation, {}),
    not_allowed: async (operation) => {
      // One of the two lacks the permission.
      const [first, second] = await Promise.all(specialists.map((client) => ask(operation, { client })))
      return (first?.status === 403 ? first : second) as Answer
    },
  }

  return { service, causes, somebody, newMobile, ask }

  /** A user who is logged in, with the password that the document shows. */
  async function somebody(mobile = newMobile()) {
    const userId = await service.addUser({ mobile, hash: SHOWN_HASH })
    return { userId, mobile, client, token: await service.login({ mobile, password: SHOWN_PASSWORD }) }
  }

  /** A user who is logged in, with another password. */
  async function somebodyElse() {
    const mobile = newMobile()
    const userId = await service.addUser({ mobile })
    return { userId, mobile, client, token: await service.login({ mobile }) }
  }

  /** Each of another user, because a newer login would change the refusal. */
  async function deadTokens() {
    const [superseded, ended, disabled] = [await somebody(), await somebody(), await somebody()]
    await service.login({ mobile: superseded.mobile, password: SHOWN_PASSWORD })
    await service.logout(ended.token)
    await service.sql`update user_login set status = 'disabled' where user_id = ${disabled.userId}`
    const brief = await build(t, { backends: service.backends, env: { TOKEN_TTL_SECONDS: '1' } })
    const expired = await brief.login({ mobile: (await somebody()).mobile, password: SHOWN_PASSWORD })
    while (Date.now() < claimsOf(expired).exp * 1000) await sleep(20)
    return { expired, superseded: superseded.token, ended: ended.token, disabled: disabled.token }
  }

  function newMobile(): string {
    return `+861380014${String(people++).padStart(4, '0')}`
  }

  async function ask(
    operation: Operation,
    asker: Asker,
    { about = asker as About, changes = {} as CallOptions } = {},
  ): Promise<Answer> {
    const [method, path, options] = exampleRequest(operation, asker, about)
    const headers = { ...options.headers, ...changes.headers }
    return patiently(() => service.call(method, path, { ...options, ...changes, headers }))
  }
}
