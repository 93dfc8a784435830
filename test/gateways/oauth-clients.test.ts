import * as oauth from 'oauth4webapi'
import t from 'tap'
import { build, type Credentials, claimsOf } from '../helper.js'

t.test('a standard OAuth client', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const gateway = await service.addClient(['introspect'])
  const portal = await service.addClient(['revoke'])
  const server = {
    issuer: 'https://auth.test',
    introspection_endpoint: `${service.url}/introspect`,
    revocation_endpoint: `${service.url}/revoke`,
  }

  t.test('active with the claims, for a live token', async (t) => {
    const token = await service.login()

    const found = await introspect(gateway, token)

    const { exp, iat, iss, jti } = claimsOf(token)
    t.match(found, { active: true, sub: String(userId), token_type: 'Bearer', exp, iat, iss, jti, sid: jti })
  })

  t.test('inactive, without other members, for dead and malformed tokens', async (t) => {
    const superseded = await service.login()
    const ended = await service.login()
    await service.logout(ended)

    for (const token of [superseded, ended, 'x.y.z', `${ended}x`, 'é', ' ']) {
      t.strictSame(await introspect(gateway, token), { active: false }, token)
    }
  })

  t.test('inactive at once after a revocation, which may be repeated', async (t) => {
    const token = await service.login()

    await revoke(portal, token)
    await revoke(portal, token)
    await revoke(portal, 'x.y.z')

    t.strictSame(await introspect(gateway, token), { active: false })
    t.match(await service.identify(token), { status: 401, body: { error: 'session_ended' } })
  })

  t.test('401 with a challenge of HTTP Basic for a wrong secret or an unknown name', async (t) => {
    const token = await service.login()
    const [wrong, unknown] = [
      { ...gateway, secret: portal.secret },
      { ...gateway, name: 'nobody' },
    ]

    for (const client of [wrong, unknown, { ...gateway, secret: `${gateway.secret}%41+` }]) {
      for (const ask of [introspect, revoke]) {
        const { status, cause } = await refusal(ask(client, token), oauth.WWWAuthenticateChallengeError)
        t.equal(status, 401)
        t.strictSame(cause, [{ scheme: 'basic', parameters: { realm: 'auth', charset: 'UTF-8' } }])
      }
    }
    t.equal((await service.identify(token)).status, 200, 'and the session lives')
  })

  t.test('403 not_allowed without the permission', async (t) => {
    const token = await service.login()

    for (const asked of [introspect(portal, token), revoke(gateway, token)]) {
      const refused = await refusal(asked, oauth.ResponseBodyError)
      t.match(refused, { status: 403, error: 'not_allowed', error_description: String })
    }
    t.equal((await service.identify(token)).status, 200, 'and the session lives')
  })

  t.test('413 payload_too_large for a token that is too long', async (t) => {
    const refused = await refusal(introspect(gateway, 'x'.repeat(5000)), oauth.ResponseBodyError)

    t.match(refused, { status: 413, error: 'payload_too_large', error_description: String })
  })

  t.test('503 as an error, not as an inactive or a revoked token, while Redis is away', async (t) => {
    const token = await service.login()
    await service.redis.stop()

    for (const asked of [introspect(gateway, token), revoke(portal, token)]) {
      const { code, cause } = await refusal(asked, oauth.OperationProcessingError)
      t.equal(code, 'OAUTH_RESPONSE_IS_NOT_CONFORM')
      t.match(cause, { status: 503 })
    }
  })

  async function introspect({ name, secret }: Credentials, token: string) {
    const client = { client_id: name }
    const shown = oauth.ClientSecretBasic(secret)
    const answer = await oauth.introspectionRequest(server, client, shown, token, WITHOUT_TLS)
    return oauth.processIntrospectionResponse(server, client, answer)
  }

  async function revoke({ name, secret }: Credentials, token: string) {
    const client = { client_id: name }
    const shown = oauth.ClientSecretBasic(secret)
    const answer = await oauth.revocationRequest(server, client, shown, token, WITHOUT_TLS)
    return oauth.processRevocationResponse(answer)
  }
})

/** The client refuses plain HTTP without this option. The tests use the loopback interface. */
const WITHOUT_TLS = { [oauth.allowInsecureRequests]: true }

/** The error with which a client rejects. @throws where it rejects with another, or resolves */
async function refusal<E extends Error>(
  asked: Promise<unknown>,
  Kind: abstract new (...args: never[]) => E,
): Promise<E> {
  const error = await asked.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  )
  if (error instanceof Kind) return error
  throw error
}
