import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type Answer, build, claimsOf, MOBILE, SECRET } from '../helper.js'
import { corpusJson, needsCorpora } from '../support/corpora.js'
import { type Verdict, verdictOf } from '../support/reference-verifier.js'
import { bitFlips, tokenCorpus } from '../support/tokens/corpus.js'
import { headerOf } from '../support/tokens/forge.js'

t.test('tokens over HTTP', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const good = await service.login()
  const keyServer = await startKeyServer(t)
  const terms = { secret: SECRET, kid: headerOf(good).kid, issuer: 'auth-service' }
  const flipped = bitFlips(good).filter((_, index) => index % 8 === 0)
  const corpus = [...tokenCorpus({ good, secret: SECRET, keyServer: keyServer.url }), ...flipped].map(
    (specimen) => ({
      ...specimen,
      verdict: verdictOf(specimen.token, terms),
    }),
  )

  t.test(
    '200 from /verify with check "signature" for genuine tokens only, each refusal by its name',
    async (t) => {
      const misjudged = await namesOf(
        corpus,
        async ({ token, verdict }) => !isAnswerTo(verdict, token, await service.verify(token, 'signature')),
      )

      t.strictSame(misjudged, [])
      t.ok(corpus.length > 600)
    },
  )

  t.test('200 from /verify with check "session" for the live session only', async (t) => {
    const misjudged = await namesOf(corpus, async ({ token, verdict }) => {
      const answer = await service.verify(token)
      if (verdict !== 'genuine') return !isAnswerTo(verdict, token, answer)
      if (answer.status === 200) return !isSameSession(token, good)
      return (
        isSameSession(token, good) || !['session_superseded', 'user_disabled'].includes(answer.body.error)
      )
    })

    t.strictSame(misjudged, [])
  })

  t.test(
    '200 from /identify for the live session only, 401 token_missing for not exactly one token',
    async (t) => {
      const sendable = corpus.filter(({ token }) => isHeaderValue(token))
      const misjudged = await namesOf(sendable, async ({ token }) => {
        const presented = token.replace(/^ +|[ \t]+$/g, '')
        const { status, body, headers } = await service.identify(token)
        const challenge = headers.get('www-authenticate')
        if (presented === '' || /[\s,]/.test(presented)) {
          return body.error !== 'token_missing' || challenge !== 'Bearer realm="auth"'
        }
        const verdict = verdictOf(presented, terms)
        if (verdict === 'genuine') return status !== (isSameSession(presented, good) ? 200 : 401)
        return status !== 401 || body.error !== verdict || !challenge?.includes('error="invalid_token"')
      })

      t.strictSame(misjudged, [])
      t.ok(sendable.length > 600)
    },
  )

  t.test('401 token_invalid for every vector of Wycheproof', needsCorpora(), async (t) => {
    const vectors = corpusJson<{ token: string; from: string }[]>('wycheproof/tokens.flat.json')
    const misjudged = await namesOf(
      vectors.map(({ token, from }) => ({ token, name: from })),
      async ({ token }) => !isAnswerTo('token_invalid', token, await service.verify(token)),
    )

    t.strictSame(misjudged, [])
  })

  t.test('fetches no key from an address in a token', async (t) => {
    const { status } = await service.identify(good)

    t.equal(status, 200)
    t.equal(keyServer.asked(), 0)
  })

  t.test(
    '200 for each of the four spellings of a signature, 401 for all once one has logged out',
    async (t) => {
      const same = spellings(good)

      const before = await Promise.all(same.map(service.identify))
      const { status } = await service.logout(same.find((token) => token !== good) ?? '')
      const after = await Promise.all(same.map(service.identify))

      t.strictSame(
        before.map((answer) => answer.status),
        [200, 200, 200, 200],
      )
      t.equal(status, 200)
      t.strictSame(
        after.map((answer) => answer.body.error),
        Array(4).fill('session_ended'),
      )
    },
  )

  t.test('puts ids into a token, and not the mobile number', async (t) => {
    const token = await service.login()

    const [header, payload] = [headerOf(token), claimsOf(token)]
    t.strictSame(Object.keys(header), ['alg', 'typ', 'kid'])
    t.strictSame(Object.keys(payload), ['iss', 'sub', 'jti', 'iat', 'exp', 'data'])
    t.strictSame(payload.data, { id: userId, login_time: payload.data.login_time })
    t.notMatch(JSON.stringify([header, payload]), MOBILE.slice(3))
  })

  t.test(
    '401 for a bad token while Redis is away, since no store is asked; 503 for a good one',
    async (t) => {
      const token = await service.login()
      await service.redis.stop()

      const forged = corpus.filter(({ verdict }) => verdict !== 'genuine')
      const misjudged = await namesOf(
        forged,
        async ({ token, verdict }) => !isAnswerTo(verdict, token, await service.verify(token)),
      )

      t.strictSame(misjudged, [])
      t.equal((await service.identify(token)).status, 503)
      t.equal((await service.identify(`${token.slice(0, -9)}AAAAAAAAA`)).status, 401)
      t.equal((await service.verify(token, 'signature')).status, 200)
    },
  )
})

/** A server that counts the requests for its keys. */
async function startKeyServer(t: Test) {
  let requests = 0
  const server = createServer((_request, response) => {
    requests++
    response.end('{"keys":[]}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => requests }
}

/** Whether /verify answered by the verdict. It checks only the signature of a genuine token. */
function isAnswerTo(verdict: Verdict, token: string, { status, body }: Answer): boolean {
  if (verdict === 'genuine') return status === 200 && body.code === 200
  // A body over 4 kB is refused unread, and an empty token is a malformed request.
  const [code, error] =
    token.length > 3900 && status === 413
      ? [413, 'payload_too_large']
      : token === ''
        ? [400, 'invalid_request']
        : [401, verdict]
  return status === code && body.code === code && body.error === error && !body.data
}

/** Whether a header can hold the text. The client and the service refuse the rest. */
function isHeaderValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text) && text.length < 7000
}

/** The tokens whose signatures are the same bytes. */
function spellings(token: string): string[] {
  const bytes = Buffer.from(token.slice(-43), 'base64url')
  return [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
    .map((last) => token.slice(0, -1) + last)
    .filter((spelling) => Buffer.from(spelling.slice(-43), 'base64url').equals(bytes))
}

/** Whether two genuine tokens name the same login of the same user. */
function isSameSession(one: string, other: string): boolean {
  const nameOf = ({ jti, data }: ReturnType<typeof claimsOf>) => [jti, data.id, data.login_time].join()
  return nameOf(claimsOf(one)) === nameOf(claimsOf(other))
}

async function namesOf<T extends { name: string }>(all: T[], predicate: (one: T) => Promise<boolean>) {
  const found: string[] = []
  for (const one of all) if (await predicate(one)) found.push(one.name)
  return found
}
