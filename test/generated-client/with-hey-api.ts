import { identify, login, verify } from './hey-api'
import { client } from './hey-api/client.gen'
import type { Claims, Error as Failure, Grant, Identity } from './hey-api/types.gen'
import type { Given, Outcome } from './outcome.js'

/** Logs in, asks whose token it is in both ways, and is refused with a token that is none. */
export async function outcomeOf({ url, mobile, password }: Given): Promise<Outcome> {
  client.setConfig({ baseUrl: url })

  const granted = await login({ body: { mobile, password }, throwOnError: true })
  const grant: Grant = granted.data.data
  const { data: identified } = await identify({ auth: grant.token, throwOnError: true })
  if (!identified) throw new Error('204 without having asked for it')
  const identity: Identity = identified.data
  const verified = await verify({ body: { token: grant.token }, throwOnError: true })
  const claims: Claims = verified.data.data.payload
  const { error, response } = await identify({ auth: 'x.y.z' })
  const refusal = error as Failure

  return {
    loggedIn: grant.user_id,
    identified: identity.user_id,
    verified: claims.data.id,
    refused: { status: response.status, error: refusal.error },
  }
}
