import assert from 'node:assert'
import type { Test } from 'tap'
import { type Answer, type Backends, PASSWORD, send, userInserter } from '../helper.js'
import { PATIENCE } from './patience.js'
import { until } from './servers.js'
import { headerOf } from './tokens/forge.js'

const MOBILES = [1, 2, 3].map((last) => `+861380013800${last}`)

/** Checks with one token before its user logs in again. */
const CHECKS_PER_LOGIN = 8

/**
 * Users who log in, check their token a few times, and log in again, on one instance after the
 * other, until the test ends. Each has one live token at a time, which no instance may refuse.
 */
export async function startClients(t: Test, backends: Backends, urls: string[]) {
  for (const mobile of MOBILES) await userInserter(backends.sql)({ mobile })
  const refused: { error: string; kid: string }[] = []
  const held = new Map<string, string>()
  let [logins, checks, turn] = [0, 0, 0]
  let stopped = false
  const all = Promise.all(MOBILES.map(live))
  t.teardown(async () => {
    stopped = true
    await all
  })

  return { counted, someChecks, allHave, algorithm }

  async function live(mobile: string): Promise<void> {
    while (!stopped) {
      const answer = await ask('POST', '/login', { body: { mobile, password: PASSWORD } })
      if (!answer) continue
      assert.equal(answer.status, 200, answer.text)
      logins++
      const { token } = answer.body.data
      held.set(mobile, token)
      for (let check = 0; check < CHECKS_PER_LOGIN && !stopped; check++) await identify(token)
    }
  }

  async function identify(token: string): Promise<void> {
    const answer = await ask('GET', '/identify', { token })
    if (!answer) return
    checks++
    if (answer.status !== 200) refused.push({ error: answer.body.error, kid: headerOf(token).kid })
  }

  /** Undefined where the instance is away or answers 503, which shows nothing about keys. */
  async function ask(method: string, path: string, options: object): Promise<Answer | undefined> {
    const url = urls[turn++ % urls.length] ?? ''
    const answer = await send(url, method, path, options).catch(() => undefined)
    return answer?.status === 503 ? undefined : answer
  }

  function counted() {
    return { logins, checks, refused }
  }

  /** Waits until this many more checks were answered. */
  async function someChecks(count = 20): Promise<void> {
    const enough = checks + count
    await until(() => assert.ok(checks >= enough), PATIENCE)
  }

  /** Waits until every user holds a token of this key. */
  async function allHave(kid: string): Promise<void> {
    const kids = () => MOBILES.map((mobile) => headerOf(held.get(mobile) ?? '').kid)
    await until(() => assert.ok(kids().every((other) => other === kid)), PATIENCE)
  }

  /** The algorithm that signed the token of the first user. */
  function algorithm(): string {
    return headerOf(held.get(MOBILES[0] ?? '') ?? '').alg
  }
}
