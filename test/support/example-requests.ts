import type { SchemaObject } from 'ajv'
import { basic, type CallOptions, type Credentials } from '../helper.js'
import { contentOf, examplesOf, type Operation } from './openapi.js'

/** The user that a request is about. Missing members stay as the document shows them. */
export interface About {
  token?: string
  mobile?: string
  userId?: number
}

/** The caller, who sends no Authorization header without a token and without credentials. */
export interface Asker extends About {
  client?: Credentials
}

/** A request as the document shows it, from this caller and about it unless `about` is given. */
export function exampleRequest(
  { method, path, parameters = [], requestBody, security = [] }: Operation,
  asker: Asker,
  about: About = asker,
): [method: string, path: string, options: CallOptions] {
  const [type, media] = contentOf(requestBody) ?? []
  const shown = media && { ...exampleOf(media.schema), ...membersAbout(about, media.schema) }
  const body = type === 'application/json' ? shown : new URLSearchParams(shown).toString()
  const headers = { ...authorization(security, asker), ...(type && { 'content-type': type }) }
  const address = parameters.reduce(
    (filled, parameter) =>
      filled.replace(`{${parameter.name}}`, String(about.userId ?? examplesOf(parameter)[0])),
    path,
  )
  return [method, address, { headers, ...(media && { body }) }]
}

/** The example of every member; a required one without example has its first allowed value. */
function exampleOf({ properties, required }: SchemaObject): Record<string, string> {
  const members = Object.entries(properties as Record<string, SchemaObject>)
  const values = members.map(([name, { examples, enum: allowed }]) => [
    name,
    examples?.[0] ?? (required.includes(name) ? allowed?.[0] : undefined),
  ])
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

function membersAbout({ token, mobile }: About, { properties }: SchemaObject): Record<string, string> {
  return {
    ...(token !== undefined && 'token' in properties && { token }),
    ...(mobile !== undefined && 'mobile' in properties && { mobile }),
  }
}

function authorization(security: Record<string, []>[], { token, client }: Asker): Record<string, string> {
  const asks = (scheme: string) => security.some((way) => scheme in way)
  if (token !== undefined && asks('bearer')) return { authorization: `Bearer ${token}` }
  if (client !== undefined && asks('client')) return { authorization: basic(client) }
  return {}
}
