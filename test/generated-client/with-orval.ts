import { identify, login, verify } from './orval'
import type { Claims, Error as Failure, Grant, Identity } from './orval-types'
import type { Given, Outcome } from './outcome.js'

/** Logs in, asks whose token it is in both ways, and is refused with a token that is none. */
export async function outcomeOf({ mobile, password }: Given): Promise<Outcome> {
  const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  const granted = await login({ mobile, password })
  if (granted.status !== 200) throw refused(granted.data)
  const grant: Grant = granted.data.data
  const identified = await identify(as(grant.token))
  if (identified.status !== 200) throw new Error(`${identified.status}`)
  const identity: Identity = identified.data.data
  const verified = await verify({ token: grant.token })
  if (verified.status !== 200) throw refused(verified.data)
  const claims: Claims = verified.data.data.payload
  const impostor = await identify(as('x.y.z'))
  if (impostor.status !== 401) throw new Error(`${impostor.status}`)

  return {
    loggedIn: grant.user_id,
    identified: identity.user_id,
    verified: claims.data.id,
    refused: { status: impostor.status, error: impostor.data.error },
  }
}

function refused({ error, msg }: Failure): Error {
  return new Error(`${error}: ${msg}`)
}
