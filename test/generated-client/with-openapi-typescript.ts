import createClient from 'openapi-fetch'
import type { Claims, Error as Failure, Grant, Identity, paths } from './openapi-typescript.js'
import type { Given, Outcome } from './outcome.js'

/** Logs in, asks whose token it is in both ways, and is refused with a token that is none. */
export async function outcomeOf({ url, ...credentials }: Given): Promise<Outcome> {
  const auth = createClient<paths>({ baseUrl: url })
  const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  const { data: granted } = await auth.POST('/login', { body: credentials })
  const grant = required<Grant>(granted?.data)
  const { data: identified } = await auth.GET('/identify', as(grant.token))
  const { data: verified } = await auth.POST('/verify', { body: { token: grant.token, check: 'session' } })
  const { error, response } = await auth.GET('/identify', as('x.y.z'))
  const refusal = required<Failure>(error)

  return {
    loggedIn: grant.user_id,
    identified: required<Identity>(identified?.data).user_id,
    verified: required<Claims>(verified?.data.payload).data.id,
    refused: { status: response.status, error: refusal.error },
  }
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('refused')
  return value
}
